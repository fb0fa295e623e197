"""The Python blocks of README.md, docs/client.md and docs/load.md do what the pages say."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hivewire import client as sdk
from hivewire.client import Adaptive, Client, Receipt, Store, new_key
from tests.docs.commands import UNHURRIED
from tests.docs.pages import ROOT, block
from tests.docs.reader import Watched, edge_url, paste
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node import Node

    Name = Callable[[str], str]

PUSHES = {name: getattr(sdk, name) for name in sdk.__all__}
LOOP = "async for event in client:          "


@pytest.mark.parametrize("page", ["README.md", "docs/client.md"])
async def test_the_first_program_sends_and_prints_its_timeline(
    page: str, node: Node, name: Name
) -> None:
    printed: list[tuple[object, ...]] = []
    given = {"token": token(name("ann")), "printed": printed}
    await paste(block(page, LOOP), node, given, lambda: bool(printed))
    assert printed == [(1, name("ann"), "hi")]


async def test_who_waits_for_less_gets_an_answer_and_may_repeat_it(node: Node, name: Name) -> None:
    key = new_key()
    async with Client(edge_url(node), token(name("ann")), device="laptop") as client:
        hurry = block("docs/client.md", "asyncio.timeout")
        for _ in range(2):
            await paste(hurry, node, {"client": client, "key": key, "asyncio": asyncio})
        assert (await client.outcome(key)).key == key
        assert client.cursor <= 1


async def test_a_store_keeps_records_in_step(
    node: Node, name: Name, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given: dict[str, Any] = {"url": edge_url(node), "token": token(name("bot"))}

    def is_kept() -> bool:
        return "client" in given and bool(given["client"].kept("event "))

    # A device that is new begins at the head: it is there before the message is that it keeps.
    keeping = asyncio.create_task(
        paste(block("docs/client.md", 'Store("bot.db")'), node, given, is_kept)
    )
    async with Client(given["url"], token(name("ann")), device="desk") as desk:
        while not keeping.done():
            await desk.send(f"user:{name('bot')}", text="while it ran")
            await asyncio.sleep(0.05)
    await keeping
    with Store("bot.db") as store:
        records = store.read("records", "event ")
    name_of_first, first = next(iter(records.items()))
    assert (first["text"], name_of_first) == ("while it ran", f"event {first['seq']:012}")


async def test_every_push_of_the_page_is_matched(node: Node, name: Name) -> None:
    ann, ben = name("ann"), name("ben")
    async with (
        Client(edge_url(node), token(ann), device="laptop") as client,
        Client(edge_url(node), token(ben), device="phone") as other,
    ):
        watched = Watched(client)
        channel = await client.group_create(kind="channel", name="news", members=[ben])
        await client.open_channel(channel.conv)
        sent = await client.send(f"user:{ben}", text="hi")
        loop, given = block("docs/client.md", "client.pushes()"), PUSHES | {"client": watched}
        wanted = {"Receipt", "Typing", "ChannelEvent"}
        # A reader gets what comes after it has begun.
        reading = asyncio.create_task(
            paste(loop, node, given, lambda: wanted <= set(watched.handled))
        )
        await other.read(sent.conv, sent.n)
        while not reading.done():
            other.typing(sent.conv)
            await other.send(channel.conv, text="news")
            await asyncio.sleep(0.05)
        await reading
        assert Receipt.__match_args__[:4] == ("conv", "user", "delivered", "read")


async def test_what_the_heartbeat_learnt_is_kept(node: Node, name: Name) -> None:
    file = io.StringIO()
    given = {"url": edge_url(node), "token": token(name("ann")), "memory": None, "file": file}
    adaptive = block("docs/client.md", "Adaptive(memory")
    await paste(adaptive, node, given | {"Adaptive": Adaptive, "Client": Client, "json": json})
    assert "home wlan" in file.getvalue()


@pytest.mark.timeout(120)
def test_a_scenario_of_ones_own_passes(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(block("docs/load.md", "class Pairs(Fleet)").text)
    words = ["-u", "1", "-t", "1s", "--fleet-size", "20", "--report", str(tmp_path / "report")]
    words += UNHURRIED.split()
    done = run("locust", "-f", str(tmp_path / "mine.py"), "--headless", "--only-summary", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Pairs" in done.stdout + done.stderr


TOLD = """

class Told(Storm):
    abstract = True

    def bring(self, share: float): return "bring"
    def hold(self, name="hold", seconds=None): return "hold"
    def cut(self, share, *, spread): return "cut"

print(list(Told().stages()))
"""
"""The phases are told instead of played: they need a run's processes."""


def test_a_shape_of_ones_own_has_its_phases(tmp_path: Path) -> None:
    text = block("docs/load.md", "class Storm(Stages)").text
    shape = tmp_path / "shape.py"
    shape.write_text(text + TOLD)
    done = run("locust", "-f", f"loadtest/scenarios/pairs.py,{shape}", "--list")
    assert "['bring', 'hold', 'cut', 'hold']" in done.stdout, done.stdout + done.stderr


def run(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
