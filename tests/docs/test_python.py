"""The Python blocks of README.md, docs/client.md and docs/load.md do what the pages say."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hivewire import client as sdk
from hivewire.client import Adaptive, Client, Receipt, Store, new_key
from tests.docs.pages import ROOT, block, blocks
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
    mine = token(name("ann"))
    await paste(block(page, LOOP), node, lambda: bool(printed), token=mine, printed=printed)
    assert printed == [(1, name("ann"), "hi")]


async def test_who_waits_for_less_gets_an_answer_and_may_repeat_it(node: Node, name: Name) -> None:
    key = new_key()
    async with Client(edge_url(node), token(name("ann")), device="laptop") as client:
        hurry = block("docs/client.md", "asyncio.timeout")
        for _ in range(2):
            await paste(hurry, node, client=client, key=key, asyncio=asyncio)
        assert (await client.outcome(key)).key == key
        assert client.cursor <= 1


async def test_a_store_keeps_records_in_step(
    node: Node, name: Name, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url, mine = edge_url(node), token(name("bot"))
    async with Client(url, mine, device="desk") as desk:
        await desk.send(f"user:{name('ann')}", text="before the program ran")
        # A device that is new begins at the head: it is there before the next message is.
        keeping = asyncio.create_task(
            paste(
                block("docs/client.md", 'Store("bot.db")'),
                node,
                lambda: bool(kept(tmp_path / "bot.db")),
                url=url,
                token=mine,
            )
        )
        while not keeping.done():
            await desk.send(f"user:{name('ann')}", text="while it ran")
            await asyncio.sleep(0.05)
        await keeping
    first = kept(tmp_path / "bot.db")[0]
    assert (first["text"], first["seq"]) == ("while it ran", int(first["name"].split()[1]))


def kept(path: Path) -> list[dict[str, object]]:
    """The records in the file of a Store, as another program may read them."""
    if not path.exists():
        return []
    with Store(path) as store:
        return [{**value, "name": name} for name, value in store.kept("event ").items()]


async def test_every_push_of_the_page_is_matched(node: Node, name: Name) -> None:
    ann, ben = name("ann"), name("ben")
    async with (
        Client(edge_url(node), token(ann), device="laptop") as client,
        Client(edge_url(node), token(ben), device="phone") as other,
    ):
        watched = Watched(client)
        channel = await client.group_create("news", kind="channel", members=[ben])
        await client.open_channel(channel.conv)
        sent = await client.send(f"user:{ben}", text="hi")
        await client.watch([ben])
        await other.typing(sent.conv, start=True)
        await other.read(sent.conv, sent.n)
        await other.send(channel.conv, text="news")
        wanted = {"Receipt", "Typing", "ChannelEvent"}
        loop = block("docs/client.md", "client.pushes()")
        await paste(loop, node, lambda: wanted <= set(watched.handled), **PUSHES | {"client": watched})
        assert Receipt.__match_args__[:4] == ("conv", "user", "delivered", "read")


async def test_what_the_heartbeat_learnt_is_kept(node: Node, name: Name) -> None:
    file = io.StringIO()
    given = {"url": edge_url(node), "token": token(name("ann")), "memory": None, "file": file}
    adaptive = block("docs/client.md", "Adaptive(memory")
    await paste(adaptive, node, **given, Adaptive=Adaptive, Client=Client, json=json)
    assert "home wlan" in file.getvalue()


@pytest.mark.parametrize("words", ["class Pairs(Fleet)", "class Storm(Stages)"])
def test_a_scenario_and_a_shape_are_taken(words: str, tmp_path: Path) -> None:
    """Locust loads the file and finds what is in it, without running it."""
    file = tmp_path / "mine.py"
    file.write_text(block("docs/load.md", words).text)
    command = [sys.executable, "-m", "locust", "-f", str(file), "--list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert words.split()[1].partition("(")[0] in done.stdout + done.stderr or "Storm" in words


def test_no_block_of_the_client_is_left_out() -> None:
    assert len(blocks("docs/client.md", "python")) == 5
    assert len(blocks("docs/load.md", "python")) == 2
