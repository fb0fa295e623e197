"""Everybody else: pairs of users who chat at a steady pace while something happens."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tests.e2e.stranger import Stranger, key

if TYPE_CHECKING:
    from tests.node import Node

PAIRS = 8
PACE_SECONDS = 0.06


class Neighbours:
    """Pairs that chat. Each receiver notes every text and when it came."""

    def __init__(self, pairs: list[tuple[Stranger, Stranger]]) -> None:
        self._pairs = pairs
        self._sent: list[dict[str, float]] = [{} for _ in pairs]
        self._came: list[dict[str, float]] = [{} for _ in pairs]
        for (_, receiver), came in zip(pairs, self._came, strict=True):
            receiver.on_receive = lambda message, came=came: _note(message, came)

    @classmethod
    async def join(cls, node: Node) -> Neighbours:
        """Connect everybody."""
        pairs = []
        for number in range(PAIRS):
            sender = await Stranger.join(node, f"sender{number}")
            pairs.append((sender, await Stranger.join(node, f"receiver{number}")))
        return cls(pairs)

    async def chat(self, until: asyncio.Event) -> list[float]:
        """Chat until then. Every text came, once and in order; returns the ways, in seconds."""
        begun = [len(sent) for sent in self._sent]
        await asyncio.gather(*(self._one(number, until) for number in range(len(self._pairs))))
        lags: list[float] = []
        for sent, came, first in zip(self._sent, self._came, begun, strict=True):
            assert list(came) == list(sent), "a text is missing, or came in another order"
            lags += [came[text] - at for text, at in list(sent.items())[first:]]
        return lags

    async def _one(self, number: int, until: asyncio.Event) -> None:
        sender, receiver = self._pairs[number]
        sent, came = self._sent[number], self._came[number]
        while not until.is_set():
            text = f"{number}.{len(sent)}"
            sent[text] = time.monotonic()
            await sender.send(f"user:receiver{number}", text, key())
            await asyncio.sleep(PACE_SECONDS)
        await receiver.until(lambda: len(came) == len(sent))

    async def leave(self) -> None:
        """Disconnect everybody."""
        for pair in self._pairs:
            for stranger in pair:
                await stranger.leave()


def _note(message: dict[str, object], came: dict[str, float]) -> None:
    if message["op"] == "event":
        text = str(message["text"])
        assert text not in came, "shown twice"
        came[text] = time.monotonic()


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of `values` lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
