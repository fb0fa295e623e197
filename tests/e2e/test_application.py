"""An application by someone who has read docs/hooks.md and nothing else. Row P5.

It is written to a directory of its own and started by its name, with every hook at work. Each thing
that can go wrong with hooks is told in test_hooks.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, company, key
from tests.node import Node
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Name = Callable[[str], str]

SHOP = """
import json, os

import hivewire

app = hivewire.App()
book = open(os.environ["SHOP_BOOK"], "a", buffering=1)


def note(hook, **fields):
    print(json.dumps({"hook": hook} | fields), file=book)


@app.on_connect
async def enter(session: hivewire.Session) -> None:
    if session.user.startswith("thief"):
        raise hivewire.Refuse("not in this shop")
    note("connect", user=session.user, device=session.device)


@app.on_disconnect
async def leave(session: hivewire.Session, code: int) -> None:
    note("disconnect", user=session.user, device=session.device, code=code)


@app.on_send
async def polite(message: hivewire.Message):
    note("send", user=message.sender, conv=message.conv, key=message.key, edit_of=message.edit_of)
    if message.text and "damn" in message.text:
        raise hivewire.Refuse("mind your words")
    if message.text:
        message.text = message.text.replace("heck", "****")
    return message


@app.on_event
async def greet(event: hivewire.Event) -> None:
    note("event", type=event.type, conv=event.conv, n=event.n, user=event.sender, text=event.text)
    if event.type == "message" and event.text == "hello" and event.sender != "bot":
        answer_to = event.conv if not event.conv.startswith("direct:") else f"user:{event.sender}"
        await app.send("bot", answer_to, text="Hello to you!", key=f"hello-{event.key}")


@app.on_offline
async def wake(event: hivewire.Event, user: str) -> None:
    note("offline", user=user, conv=event.conv, n=event.n)
"""


class Shop:
    """A node with the application, and the book that the application writes."""

    def __init__(self, folder: Path, launch: str = "shop:app") -> None:
        folder.mkdir()
        (folder / "shop.py").write_text(SHOP)
        self._book = folder / "book.jsonl"
        env = {"PYTHONPATH": str(folder), "SHOP_BOOK": str(self._book)}
        self.node = Node(folder / "data", flags=[launch], env=env).start()

    def notes(self, hook: str, **fields: Any) -> list[dict[str, Any]]:
        """What the application noted so far, of one hook and with these fields."""
        lines = self._book.read_text().splitlines()
        wanted = {"hook": hook} | fields
        return [note for line in lines if wanted.items() <= (note := json.loads(line)).items()]

    async def noted(self, hook: str, count: int = 1, **fields: Any) -> list[dict[str, Any]]:
        """Wait until so many have been noted; they come after what clients were told."""
        async with asyncio.timeout(10):
            while len(found := self.notes(hook, **fields)) < count:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.02)
        return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    opened = Shop(tmp_path_factory.mktemp("shop") / "shop")
    yield opened
    opened.node.stop()
    opened.node.assert_calm()


async def test_p5_the_application_sees_who_comes_and_goes(
    shop: Shop, name: Name, encoding: str
) -> None:
    async with company(shop.node, name, "ann/desk", encoding) as (ann,):
        (came,) = await shop.noted("connect", user=ann.user)
        assert came["device"] == "desk"
        assert not shop.notes("disconnect", user=ann.user)
    (gone,) = await shop.noted("disconnect", user=name("ann"))
    assert (gone["device"], gone["code"]) == ("desk", 1000)


async def test_p5_it_turns_people_away(shop: Shop, name: Name, encoding: str) -> None:
    thief = await Stranger.dial(shop.node, encoding=encoding)
    thief.tell("connect", id=1, token=token(name("thief")), device="phone")
    end = await thief.expect_closed(4507)
    assert end.bye is not None
    assert "not in this shop" in end.bye["reason"]


@pytest.mark.parametrize("to", ["direct", "group", "channel"])
async def test_p5_it_moderates_what_is_sent_and_edited(
    shop: Shop, name: Name, encoding: str, to: str
) -> None:
    async with company(shop.node, name, "ann bob", encoding) as (ann, bob):
        target = f"user:{bob.user}"
        if to != "direct":
            target = (await ann.make_group(bob.user, kind=to))["conv"]
        k = key()
        error = await ann.refused("send", to=target, key=k, text="damn it")
        assert (error["code"], error["message"]) == ("forbidden", "mind your words")
        sent = await ann.send(target, "what the heck", k)
        assert (await bob.item(sent["conv"], sent["n"]))["text"] == "what the ****"
        again = await ann.send(target, "what the heck", k)
        assert again == sent | {"id": again["id"], "dup": True}
        assert len(shop.notes("send", key=k)) == 2, "the resend was not asked about"
        edit = {"conv": sent["conv"], "n": sent["n"]}
        error = await ann.refused("edit", key=key(), text="damn", **edit)
        assert error["code"] == "forbidden"
        await ann.call("edit", key=key(), text="oh heck", **edit)
        assert (await bob.item(sent["conv"], sent["n"]))["text"] == "oh ****"
        assert shop.notes("send", user=ann.user, edit_of=sent["n"])


@pytest.mark.parametrize("to", ["direct", "group", "channel"])
async def test_p5_a_bot_answers(shop: Shop, name: Name, encoding: str, to: str) -> None:
    async with company(shop.node, name, "ann", encoding) as (ann,):
        target, op = "user:bot", "event"
        if to != "direct":
            target = (await ann.make_group("bot", kind=to))["conv"]
        if to == "channel":
            await ann.call("open", conv=target)
            op = "channel_event"
        sent = await ann.send(target, "hello", key())
        answer = await ann.seen(op, **{"from": "bot", "type": "message"})
        assert answer["text"] == "Hello to you!"
        assert answer["n"] > sent["n"]
        assert (await ann.item(answer["conv"], answer["n"]))["from"] == "bot"


async def test_p5_every_kind_of_event_is_told_once_in_order(shop: Shop, name: Name) -> None:
    async with company(shop.node, name, "ann bob") as (ann, bob):
        group = await ann.make_group(bob.user)
        conv = group["conv"]
        sent = await ann.send(conv, "one", key())
        await bob.call("react", conv=conv, n=sent["n"], key=key(), emoji="👍", on=True)
        await ann.call("edit", conv=conv, n=sent["n"], key=key(), text="two")
        await ann.call("recall", conv=conv, n=sent["n"], key=key())
        last = await ann.call("group.update", conv=conv, key=key(), name="new")
        told = await shop.noted("event", last["head"], conv=conv)
        assert [note["n"] for note in told] == list(range(1, last["head"] + 1))
        assert [note["type"] for note in told] == [i["type"] for i in await bob.history(conv)]


async def test_p5_it_learns_who_missed_a_message(shop: Shop, name: Name) -> None:
    async with company(shop.node, name, "ann bob") as (ann, bob):
        group = await ann.make_group(bob.user, name("cat"))
        sent = await ann.send(group["conv"], "x", key())
        await shop.noted("offline", user=name("cat"), conv=group["conv"], n=sent["n"])
        assert not shop.notes("offline", user=bob.user)
        assert not shop.notes("offline", user=ann.user)


async def test_p5_what_it_let_through_survives_a_kill(tmp_path: Path, name: Name) -> None:
    shop = Shop(tmp_path / "shop", "app:shop")
    async with company(shop.node, name, "ann bob") as (ann, bob):
        k = key()
        sent = await ann.send(f"user:{bob.user}", "what the heck", k)
        shop.node.kill9()
    await asyncio.to_thread(shop.node.restart)
    async with company(shop.node, name, "ann bob") as (ann, bob):
        assert (await bob.item(sent["conv"], 1))["text"] == "what the ****"
        again = await ann.send(f"user:{bob.user}", "what the heck", k)
        assert again == sent | {"id": again["id"], "dup": True}
        assert len(shop.notes("send", key=k)) == 1
    shop.node.stop()
    shop.node.assert_calm()
