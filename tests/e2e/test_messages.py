"""What a message can be and what can become of it: edit, recall, reaction. Rows M1, M4, M5."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.files import id_of, upload_texts
from tests.e2e.stranger import company, key, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


async def test_m1_every_online_device_of_both_gets_it_at_once(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann ann/desk ann/tab bob bob/desk", encoding) as lines:
        ann, *others = lines
        sent = await ann.send(f"user:{others[-1].user}", "hi", key())
        for line in others:
            event = await line.event(patience=2)
            assert (event["n"], event["ts"], event["text"]) == (1, sent["ts"], "hi")
        await ann.quiet()


# -- bodies -----------------------------------------------------------------------------------

BODIES: dict[str, dict[str, Any]] = {
    "media alone": {"media": [id_of("one")]},
    "media with a text": {"text": "look", "media": [id_of("one"), id_of("two")]},
    "a reply": {"text": "yes", "reply_to": 1},
    "a reply with data": {"data": {"yes": True}, "reply_to": 1},
    "mentions": {"text": "@bob @nobody", "mentions": ["bob", "nobody"]},
    "everything": {
        "text": "x", "media": [id_of("one")], "data": {"a": 1}, "reply_to": 1, "mentions": ["bob"],
    },
}  # fmt: skip


@pytest.mark.parametrize("row", BODIES)
@pytest.mark.parametrize("to", ["direct", "group", "channel"])
async def test_m4_a_body_is_what_was_sent_live_in_pages_and_in_history(
    node: Node, name: Name, encoding: str, to: str, row: str
) -> None:
    body = BODIES[row]
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        target = f"user:{bob.user}"
        if to != "direct":
            target = (await ann.make_group(bob.user, kind=to))["conv"]
        if to == "channel":
            await bob.call("open", conv=target)
        await ann.send(target, "first", key())
        await upload_texts(node, ann.user, "one", "two")
        sent = await ann.call("send", to=target, key=key(), **body)
        op = "channel_event" if to == "channel" else "event"
        event = await bob.seen(op, conv=sent["conv"], n=sent["n"])
        fields = ("text", "media", "data", "reply_to", "mentions")
        assert {k: v for k, v in event.items() if k in fields} == body
        item = await bob.item(sent["conv"], sent["n"])
        assert {k: v for k, v in item.items() if k in fields} == body
        assert (item["type"], item["from"], item["ts"]) == ("message", ann.user, sent["ts"])
        if to != "channel":
            page = await bob.sync(event["seq"] - 1, 1)
            assert page["events"] == [{k: v for k, v in event.items() if k != "op"}]


@pytest.mark.parametrize("to", ["direct", "group"])
async def test_m4_a_reply_is_to_something_that_is_there(node: Node, name: Name, to: str) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        target, head = f"user:{bob.user}", 0
        if to == "group":
            group = await ann.make_group(bob.user)
            target, head = group["conv"], group["head"]
        k = key()
        error = await ann.refused("send", to=target, key=k, text="x", reply_to=head + 1)
        assert error["field"] == "reply_to"
        assert (await ann.send(target, "x", k))["n"] == head + 1
        assert (await bob.send(sent_to(target, ann.user), "y", key(), reply_to=head + 1))["n"]


def sent_to(target: str, other: str) -> str:
    return f"user:{other}" if target.startswith("user:") else target


# -- edit -------------------------------------------------------------------------------------


async def target_of(to: str, ann: Any, bob: Any) -> str:
    """A conversation of ann and bob."""
    if to == "direct":
        return f"user:{bob.user}"
    return (await ann.make_group(bob.user))["conv"]


@pytest.mark.parametrize("to", ["direct", "group"])
async def test_m4_an_edit_is_an_event_and_a_state(
    node: Node, name: Name, encoding: str, to: str
) -> None:
    async with company(node, name, "ann ann/desk bob", encoding) as (ann, desk, bob):
        sent = await ann.send(await target_of(to, ann, bob), "frist", key())
        edited = await ann.call("edit", conv=sent["conv"], n=sent["n"], key=key(), text="first")
        assert (edited["op"], edited["conv"], edited["n"]) == ("sent", sent["conv"], sent["n"] + 1)
        assert (edited["seq"], edited["dup"]) == (sent["seq"] + 1, False)
        assert abs(edited["ts"] - now_ms()) < 5000
        for line in (desk, bob):
            event = await line.seen("event", type="edit")
            wanted = {
                "conv": sent["conv"], "n": edited["n"], "seq": edited["seq"], "from": ann.user,
                "ts": edited["ts"], "target": sent["n"], "text": "first",
            }  # fmt: skip
            assert wanted.items() <= event.items()
        await ann.call("ping")
        assert not ann.pushed("event", type="edit"), "its sent fills the place"
        item = await bob.item(sent["conv"], sent["n"])
        assert (item["text"], item["edited"], item["ts"]) == ("first", edited["ts"], sent["ts"])
        second = await ann.call("edit", conv=sent["conv"], n=sent["n"], key=key(), text="1st")
        item = await bob.item(sent["conv"], sent["n"])
        assert (item["text"], item["edited"]) == ("1st", second["ts"])
        types = [item["type"] for item in await bob.history(sent["conv"])]
        assert types[-3:] == ["message", "edit", "edit"]


async def test_m4_an_edit_keeps_the_rest_of_the_body(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        await ann.send(f"user:{bob.user}", "one", key())
        media = await upload_texts(node, ann.user, "one")
        more = {"data": {"a": 1}, "reply_to": 1, "mentions": ["bob"], "media": media}
        sent = await ann.send(f"user:{bob.user}", "two", key(), **more)
        await ann.call("edit", conv=sent["conv"], n=2, key=key(), text="zwei")
        item = await bob.item(sent["conv"], 2)
        assert {field: item[field] for field in more} == more
        assert item["text"] == "zwei"


async def test_m4_only_the_author_edits(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob eve", encoding) as (ann, bob, eve):
        group = await ann.make_group(bob.user)
        for target in (f"user:{ann.user}", group["conv"]):
            sent = await bob.send(target, "mine", key())
            for other in (ann, eve):
                error = await other.refused(
                    "edit", conv=sent["conv"], n=sent["n"], key=key(), text="yours"
                )
                assert error["code"] == "forbidden"
            item = await bob.item(sent["conv"], sent["n"])
            assert item["text"] == "mine"
            assert "edited" not in item


async def test_m4_only_messages_that_are_there_can_be_changed(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        sent = await ann.send(f"user:{bob.user}", "one", key())
        edit = await ann.call("edit", conv=sent["conv"], n=1, key=key(), text="two")
        for op, fields in {
            "edit": {"text": "x"}, "recall": {}, "react": {"emoji": "👍", "on": True},
        }.items():  # fmt: skip
            for n in (edit["n"], 99):
                error = await ann.refused(op, conv=sent["conv"], n=n, key=key(), **fields)
                assert error["code"] in ("not_found", "bad_request"), (op, n, error)
        assert (await ann.call("ping"))["head"] == 2


# -- recall -----------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["direct", "group"])
async def test_m4_a_recall_takes_the_body_away_everywhere(
    node: Node, name: Name, encoding: str, to: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        target = await target_of(to, ann, bob)
        await ann.send(target, "stays", key())
        (media,) = await upload_texts(node, ann.user, "a SECRET one")
        body = {"text": "SECRET", "data": {"x": "SECRET"}, "media": [media]}
        sent = await ann.call("send", to=target, key=key(), **body)
        gone = await ann.call("recall", conv=sent["conv"], n=sent["n"], key=key())
        assert (gone["op"], gone["n"], gone["seq"]) == ("sent", sent["n"] + 1, sent["seq"] + 1)
        event = await bob.seen("event", type="recall")
        assert (event["target"], event["n"], event["from"]) == (sent["n"], gone["n"], ann.user)
        item = await bob.item(sent["conv"], sent["n"])
        assert (item["n"], item["type"], item["recalled"]) == (sent["n"], "message", gone["ts"])
        page = await bob.read_all()
        assert [e["n"] for e in page] == [item["n"] for item in await bob.history(sent["conv"])]
        assert [e["seq"] for e in page] == list(range(1, gone["seq"] + 1))
        listed = await bob.conversations(messages=20)
        for shown in (page, item, await ann.read_all(), await ann.history(sent["conv"]), listed):
            assert "SECRET" not in str(shown)
            assert media not in str(shown)
        assert "stays" in str(page)


async def test_m4_recalling_an_edited_message_leaves_no_text_behind(node: Node, name: Name) -> None:
    """The texts of its edits were its body too."""
    async with company(node, name, "ann bob") as (ann, bob):
        sent = await ann.send(f"user:{bob.user}", "SECRET 1", key())
        await ann.call("edit", conv=sent["conv"], n=1, key=key(), text="SECRET 2")
        await ann.call("recall", conv=sent["conv"], n=1, key=key())
        await ann.refused("edit", conv=sent["conv"], n=1, key=key(), text="SECRET 3")
        for shown in (await bob.read_all(), await bob.history(sent["conv"])):
            assert [event["n"] for event in shown] == [1, 2, 3]
            assert "SECRET" not in str(shown)


async def test_m4_recall_by_the_author_and_by_group_admins(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob cat dan eve") as (ann, bob, cat, dan, eve):
        group = await ann.make_group(bob.user, cat.user, dan.user)
        conv = group["conv"]
        await ann.call("group.update", conv=conv, key=key(), user=bob.user, role="admin")
        for allowed in (ann, bob, cat):
            sent = await cat.send(conv, "by cat", key())
            for outsider in (dan, eve):
                error = await outsider.refused("recall", conv=conv, n=sent["n"], key=key())
                assert error["code"] == "forbidden"
            assert "recalled" not in await cat.item(conv, sent["n"])
            await allowed.call("recall", conv=conv, n=sent["n"], key=key())
            assert "recalled" in await cat.item(conv, sent["n"])


async def test_m4_in_a_direct_chat_only_the_author_recalls(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        sent = await ann.send(f"user:{bob.user}", "mine", key())
        error = await bob.refused("recall", conv=sent["conv"], n=1, key=key())
        assert error["code"] == "forbidden"


async def test_m4_a_resend_of_a_recalled_message_stores_nothing(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        k = key()
        sent = await ann.send(f"user:{bob.user}", "gone", k)
        await ann.call("recall", conv=sent["conv"], n=1, key=key())
        again = await ann.send(f"user:{bob.user}", "gone", k)
        assert again == sent | {"id": again["id"], "dup": True}
        assert (await ann.call("ping"))["head"] == 2


# -- reactions --------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["direct", "group"])
async def test_m4_a_reaction_is_an_event_and_a_state(
    node: Node, name: Name, encoding: str, to: str
) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        sent = await ann.send(await target_of(to, ann, bob), "hi", key())
        conv, n = sent["conv"], sent["n"]
        done = await bob.call("react", conv=conv, n=n, key=key(), emoji="👍", on=True)
        assert (done["op"], done["n"], done["dup"]) == ("sent", n + 1, False)
        event = await ann.seen("event", type="reaction")
        wanted = {
            "conv": conv, "n": n + 1, "from": bob.user, "target": n, "emoji": "👍", "on": True,
        }  # fmt: skip
        assert wanted.items() <= event.items()
        await ann.call("react", conv=conv, n=n, key=key(), emoji="👍", on=True)
        await ann.call("react", conv=conv, n=n, key=key(), emoji="🎉", on=True)
        item = await bob.item(conv, n)
        assert {emoji: sorted(users) for emoji, users in item["reactions"].items()} == {
            "👍": [ann.user, bob.user], "🎉": [ann.user],
        }  # fmt: skip
        assert item["reaction_counts"] == {"👍": 2, "🎉": 1}
        assert item["text"] == "hi"


async def test_m4_a_reaction_is_taken_back(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        sent = await ann.send(f"user:{bob.user}", "hi", key())
        conv = sent["conv"]
        for on in (True, True, False):
            await bob.call("react", conv=conv, n=1, key=key(), emoji="👍", on=on)
        assert (await ann.item(conv, 1)).get("reactions", {}).get("👍", []) == []
        await bob.call("react", conv=conv, n=1, key=key(), emoji="👍", on=False)
        await bob.call("react", conv=conv, n=1, key=key(), emoji="👍", on=True)
        assert (await ann.item(conv, 1))["reactions"] == {"👍": [bob.user]}
        heads = [(await line.call("ping"))["head"] for line in (ann, bob)]
        assert heads[0] == heads[1]
        assert [e["n"] for e in await ann.read_all()] == list(range(1, heads[0] + 1))


async def test_m4_who_is_not_in_does_not_react(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob eve") as (ann, bob, eve):
        group = await ann.make_group(bob.user)
        for target in (f"user:{bob.user}", group["conv"]):
            sent = await ann.send(target, "hi", key())
            error = await eve.refused(
                "react", conv=sent["conv"], n=sent["n"], key=key(), emoji="👍", on=True
            )
            assert error["code"] == "forbidden"


async def test_m4_a_hundred_users_an_emoji_are_listed_and_all_are_counted(
    node: Node, name: Name
) -> None:
    fans = [f"u{at}" for at in range(105)]
    async with company(node, name, "ann " + " ".join(fans)) as (ann, *others):
        group = await ann.make_group(*(line.user for line in others))
        sent = await ann.send(group["conv"], "hi", key())
        await asyncio.gather(
            *(
                line.call("react", conv=sent["conv"], n=sent["n"], key=key(), emoji="👍", on=True)
                for line in others
            )
        )
        item = await ann.item(sent["conv"], sent["n"])
        assert len(set(item["reactions"]["👍"])) == len(item["reactions"]["👍"]) == 100
        assert item["reaction_counts"]["👍"] == 105


# -- stored before it is shown ------------------------------------------------------------------


async def test_m5_i1_i2_what_anyone_has_seen_survives_the_kill(
    start_node: Callable[..., Node], name: Name
) -> None:
    """Killed the moment that the receiver has it, before or after the sender's answer."""
    node = start_node()
    for turn in range(3):
        async with company(node, name, "ann bob", cursor=0) as (ann, bob):
            await ann.read_all()
            await bob.read_all()
            asked = [
                ann.ask("send", to=f"user:{bob.user}", key=key(), text=f"{turn}.{at}")
                for at in range(20)
            ]
            event = await bob.event()
            node.kill9()
            done = await asyncio.gather(*asked, return_exceptions=True)
            conv = event["conv"]
            shown = {m["n"]: m["text"] for m in bob.received if m["op"] == "event"}
            answered = [answer["n"] for answer in done if isinstance(answer, dict)]
        await asyncio.to_thread(node.restart)
        async with company(node, name, "bob") as (again,):
            kept = {item["n"]: item["text"] for item in await again.history(conv)}
            assert shown.items() <= kept.items()
            assert set(answered) <= set(kept)
