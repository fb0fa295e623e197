"""Uploads under power cuts: what was answered is there, byte for byte."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.chaos.faults import PowerCut
from tests.chaos.scale import scaled, seeded
from tests.e2e.files import PATH
from tests.e2e.http.web import Web
from tests.node import Node
from tests.unit.media.room import picture

if TYPE_CHECKING:
    import random
    from pathlib import Path

pytestmark = pytest.mark.chaos
CUTS = 4
WRITERS = 3
DURABLE = {"HIVEWIRE_MEDIA__UPLOADS_PER_MINUTE": "0"}


class Uploads:
    """What some users have uploaded, and what was answered."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.answered: dict[str, bytes] = {}
        self.thumbnails: dict[str, str] = {}

    async def until_cut(self, node: Node, enough: int) -> None:
        """Upload until so many more are answered; then the power goes, in the midst of others."""
        goal = len(self.answered) + enough
        writers = [asyncio.create_task(self._write(node, n)) for n in range(WRITERS)]
        while len(self.answered) < goal:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
        node.kill9()
        await asyncio.gather(*writers)

    async def _write(self, node: Node, number: int) -> None:
        async with Web.of(node, f"u{number}") as web:
            while True:
                size = (self.rng.randint(8, 200), self.rng.randint(8, 200))
                some = self.rng.randbytes(self.rng.randint(1, 300_000))
                data = picture("BMP", size) + some if self.rng.random() < 0.3 else some
                try:
                    response = await web.http.post(PATH, content=data)
                except httpx.HTTPError:
                    return
                told = response.json()
                self.answered[told["id"]] = data
                if told["thumbnail_url"] is not None:
                    self.thumbnails[told["id"]] = told["thumbnail_url"]

    async def lost(self, node: Node) -> list[str]:
        """What was answered and is not there as it was."""
        lost: list[str] = []
        async with Web.of(node, "reader") as web:
            for media, data in self.answered.items():
                got = await web.http.get(f"{PATH}/{media}")
                if (got.status_code, got.content) != (200, data):
                    lost.append(media)
            for media, url in self.thumbnails.items():
                got = await web.http.get(url)
                if got.status_code != 200 or got.content[8:12] != b"WEBP":
                    lost.append(media)
        return lost


async def test_m4_i1_power_cuts_lose_no_upload_that_was_answered(tmp_path: Path) -> None:
    rng = seeded()
    uploads = Uploads(rng)
    cut = PowerCut(tmp_path / "data", tmp_path / "power")
    node = Node(tmp_path / "data", env=DURABLE).start(extra_env=cut.begin())
    for turn in range(scaled(CUTS)):
        await uploads.until_cut(node, rng.randint(2, 12))
        cut.apply(rng if turn % 2 else None)
        await asyncio.to_thread(node.restart, extra_env=cut.begin())
        assert await uploads.lost(node) == []
    assert uploads.thumbnails, "no picture was among them"
    await asyncio.to_thread(node.stop)


async def test_without_sync_an_upload_is_lost(tmp_path: Path) -> None:
    """The control: if this one finds nothing lost, the other one proves nothing."""
    uploads = Uploads(seeded())
    cut = PowerCut(tmp_path / "data", tmp_path / "power")
    node = Node(tmp_path / "data", env=DURABLE | {"HIVEWIRE_STORE__SYNC": "false"})
    node.start(extra_env=cut.begin())
    await uploads.until_cut(node, 5)
    cut.apply()
    await asyncio.to_thread(node.restart)
    assert await uploads.lost(node) != []
    await asyncio.to_thread(node.stop)
