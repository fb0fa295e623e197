"""Pushes: typed, and handed to who reads them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hivewire.client.pushes import (
    MAX_WAITING,
    ChannelEvent,
    ChannelHead,
    Presence,
    PresenceChange,
    PushReader,
    Receipt,
    Typing,
    Unknown,
    push_of,
)

pytestmark = pytest.mark.unit

CHANNEL = "channel:c"


@pytest.mark.parametrize(
    ("body", "push"),
    [
        (
            {"op": "receipt", "conv": "c", "user": "b", "delivered": 4, "read": 3},
            Receipt("c", "b", 4, 3),
        ),
        (
            {"op": "typing", "conv": "c", "user": "b", "state": "start"},
            Typing("c", "b", "start"),
        ),
        ({"op": "channel", "conv": CHANNEL, "head": 7}, ChannelHead(CHANNEL, 7)),
        (
            {"op": "presence", "changes": [{"user": "b", "state": "offline", "last_seen": None}]},
            Presence([PresenceChange("b", "offline", None)]),
        ),
        ({"op": "channel", "conv": CHANNEL, "head": 7, "later": 1}, ChannelHead(CHANNEL, 7)),
        ({"op": "sunrise", "at": 5}, Unknown({"op": "sunrise", "at": 5})),
        ({"op": "receipt"}, Unknown({"op": "receipt"})),
        ({"op": "channel_event", "n": 1}, Unknown({"op": "channel_event", "n": 1})),
    ],
)
def test_each_push_has_its_type(body: dict[str, Any], push: object) -> None:
    assert push_of(body) == push


def test_an_event_of_a_channel_is_an_item() -> None:
    fields = {"conv": CHANNEL, "n": 3, "type": "message", "from": "b", "ts": 1, "text": "hi"}
    push = push_of({"op": "channel_event", **fields})
    assert isinstance(push, ChannelEvent)
    assert (push.item.n, push.item.sender, push.item.text) == (3, "b", "hi")
    assert push.item.body == fields


def test_a_reader_gets_what_comes_until_the_end() -> None:
    async def story() -> None:
        reader = PushReader()
        reader.put(ChannelHead(CHANNEL, 1))
        reading = asyncio.ensure_future(_all(reader))
        await asyncio.sleep(0)
        reader.put(ChannelHead(CHANNEL, 2))
        reader.end()
        assert await reading == [1, 2]

    asyncio.run(story())


def test_i8_a_slow_reader_loses_the_oldest() -> None:
    async def story() -> None:
        reader = PushReader()
        for head in range(MAX_WAITING + 3):
            reader.put(ChannelHead(CHANNEL, head))
        reader.end()
        heads = await _all(reader)
        assert (heads[0], len(heads)) == (3, MAX_WAITING)

    asyncio.run(story())


async def _all(reader: PushReader) -> list[int]:
    return [push.head async for push in reader if isinstance(push, ChannelHead)]
