"""Hooks of an application on a node: docs/hooks.md, seen from outside."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.hooked import BOT, SLOW_SECONDS, WITNESS
from tests.e2e.stranger import Stranger, key
from tests.e2e.test_command_line import hivewire
from tests.node import Node
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Name = Callable[[str], str]

HOOKED = "tests.e2e.hooked:app"


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with the application of these tests; its log may hold the tracebacks of the hooks."""
    data = tmp_path_factory.mktemp("hooked") / "data"
    node = Node(data, flags=[HOOKED], env={"HIVEWIRE_HOOKS__TIMEOUT": "2s"}).start()
    yield node
    assert node.running(), node.stderr()[-4000:]
    node.stop()


async def notes(witness: Stranger, about: str, *, until: int) -> list[dict[str, Any]]:
    """What the application has told its witness of a conversation or user, so many of them."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 10
    while len(found) < until and time.monotonic() < deadline:
        told = await witness.push()
        data = told.get("data") or {}
        if about in json.dumps(data):
            found.append(data)
    return found


async def watch(node: Node) -> Stranger:
    """The witness, from now on."""
    witness = await Stranger.join(node, WITNESS, f"d{time.time_ns()}")
    # What the tests before have left to tell may have come in between: then it is not live yet.
    await witness.read_all(witness.connected["cursor"])
    return witness


def figure(node: Node, name: str) -> float:
    url = f"http://{node.api[0]}:{node.api[1]}/metrics"
    with urllib.request.urlopen(url, timeout=10) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


# -- on_send ----------------------------------------------------------------------------------


async def test_a_message_is_stored_as_the_application_made_it(
    hooked: Node, name: Name, encoding: str
) -> None:
    me, you = name("ann"), name("bob")
    async with (
        await Stranger.join(hooked, me, encoding=encoding) as ann,
        await Stranger.join(hooked, you) as bob,
    ):
        mine = key()
        sent = await ann.send(f"user:{you}", "shout hello", mine)
        event = await bob.push()
        assert (event["text"], event["data"]) == ("HELLO", {"edit_of": None})
        again = await ann.send(f"user:{you}", "shout hello", mine)
        assert again == sent | {"id": again["id"], "dup": True}
        other = await ann.refused("send", to=f"user:{you}", key=mine, text="HELLO")
        assert other["code"] == "conflict"


async def test_a_refusal_is_told_and_the_key_stays_free(hooked: Node, name: Name) -> None:
    async with await Stranger.join(hooked, name("ann")) as ann:
        mine = key()
        to = f"user:{name('bob')}"
        error = await ann.refused("send", to=to, key=mine, text="refuse this")
        assert (error["code"], error["message"]) == ("forbidden", "mind your words")
        assert (error["field"], error["retryable"]) == ("text", False)
        assert (await ann.send(to, "good", mine))["n"] == 1


async def test_a_failure_is_internal_and_harms_nobody(hooked: Node, name: Name) -> None:
    before = figure(hooked, 'hivewire_hooks_total{hook="on_send",result="failed"}')
    async with await Stranger.join(hooked, name("ann")) as ann:
        error = await ann.refused("send", to=f"user:{name('bob')}", key=key(), text="bug")
        assert (error["code"], error["retryable"]) == ("internal", False)
        assert "ZeroDivision" not in error["message"]
        await ann.send(f"user:{name('bob')}", "good", key())
        after = figure(hooked, 'hivewire_hooks_total{hook="on_send",result="failed"}')
        assert after == before + 1
        async with asyncio.timeout(5):
            # One traceback a second is written for a hook, and another test may have had it.
            while "ZeroDivisionError" not in hooked.stderr():
                await asyncio.sleep(0.3)
                await ann.refused("send", to=f"user:{name('bob')}", key=key(), text="bug")


async def test_a_hook_that_hangs_makes_its_own_line_wait_and_no_other(
    hooked: Node, name: Name
) -> None:
    me, you = name("ann"), name("bob")
    async with (
        await Stranger.join(hooked, me) as ann,
        await Stranger.join(hooked, you) as bob,
    ):
        begun = time.monotonic()
        hangs = ann.ask("send", to=f"user:{you}", key=key(), text="hang")
        behind = ann.ask("send", to=f"user:{you}", key=key(), text="behind")
        await asyncio.sleep(0.05)
        await bob.send(f"user:{me}", "meanwhile", key())
        assert not hangs.done()
        assert not behind.done()
        error = await hangs
        assert time.monotonic() - begun > 1.9
        assert (error["code"], error["retryable"]) == ("unavailable", True)
        assert (await behind)["op"] == "sent"


async def test_I6_I12_what_is_acknowledged_behind_a_hook_that_hangs_survives_kill_9(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(flags=[HOOKED], env={"HIVEWIRE_HOOKS__TIMEOUT": "60s"})
    me, you = name("ann"), name("bob")
    ann, bob = await Stranger.join(node, me), await Stranger.join(node, you)
    await ann.send(f"user:{you}", "hi", key())
    seq = (await bob.event())["seq"]
    bob.ask("send", to=f"user:{me}", key=key(), text="hang")
    bob.tell("ack", seq=seq)
    assert (await ann.seen("receipt", user=you))["delivered"] == 1
    node.kill9()
    ann.cut()
    bob.cut()
    node.restart()
    async with await Stranger.join(node, you) as bob:
        assert bob.connected["cursor"] == seq


async def test_I4_one_key_on_two_devices_is_judged_once(hooked: Node, name: Name) -> None:
    me, to = name("ann"), f"user:{name('bob')}"
    async with (
        await Stranger.join(hooked, me, "phone") as phone,
        await Stranger.join(hooked, me, "laptop") as laptop,
    ):
        mine = key()
        command = {"to": to, "key": mine, "text": "slow one"}
        first, second = await asyncio.gather(
            phone.call("send", **command), laptop.call("send", **command)
        )
        assert sorted((first["dup"], second["dup"])) == [False, True]
        assert first["n"] == second["n"] == 1


async def test_sends_of_a_line_keep_their_order(hooked: Node, name: Name) -> None:
    async with await Stranger.join(hooked, name("ann")) as ann:
        to = f"user:{name('bob')}"
        texts = ["slow 1", "2", "slow 3", "4", "shout 5"]
        sents = await asyncio.gather(*(ann.send(to, text, key()) for text in texts))
        assert [sent["n"] for sent in sents] == [1, 2, 3, 4, 5]


async def test_an_edit_is_judged_as_well(hooked: Node, name: Name) -> None:
    me, you = name("ann"), name("bob")
    async with (
        await Stranger.join(hooked, me) as ann,
        await Stranger.join(hooked, you) as bob,
    ):
        sent = await ann.send(f"user:{you}", "hello", key())
        await bob.push()
        mine, conv = key(), sent["conv"]
        command = {"conv": conv, "n": 1, "key": mine}
        error = await ann.refused("edit", **command, text="refuse this")
        assert error["message"] == "mind your words"
        await ann.call("edit", **command, text="shout it")
        edit = await bob.push()
        assert (edit["type"], edit["target"], edit["text"]) == ("edit", 1, "IT")
        again = await ann.call("edit", **command, text="shout it")
        assert again["dup"]


# -- who comes and goes -----------------------------------------------------------------------


async def test_who_is_refused_is_closed_with_4507_in_the_words_of_the_application(
    hooked: Node, name: Name
) -> None:
    banned = await Stranger.dial(hooked)
    banned.tell("connect", id=1, token=token(name("banned")), device="phone")
    end = await banned.expect_closed(4507)
    assert end.bye is not None
    assert end.bye["reason"] == "you are banned here"
    await banned.leave()


async def test_the_end_of_a_connection_is_told_with_its_session(hooked: Node, name: Name) -> None:
    me = name("ann")
    async with await watch(hooked) as witness:
        ann = await Stranger.join(hooked, me)
        await ann.send(f"user:{me}", "x", key())
        await ann.send(f"user:{me}", "y", key())
        await ann.leave()
        found = [note for note in await notes(witness, me, until=3) if "gone" in note]
        assert found == [{"gone": me, "code": 1000, "said": 2}]


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node without any key: the application alone says who is who."""
    data = tmp_path_factory.mktemp("keeper") / "data"
    env = {
        "HOOKED_AUTHENTICATE": "1",
        "HIVEWIRE_AUTH__SECRET": None,
        "HIVEWIRE_HOOKS__TIMEOUT": "300ms",
    }
    node = Node(data, flags=[HOOKED], env=env).start()
    yield node
    assert node.running(), node.stderr()[-4000:]
    node.stop()


async def test_the_application_says_who_a_token_is_for(keeper: Node, name: Name) -> None:
    me = name("ann")
    async with await Stranger.dial(keeper) as ann:
        told = await ann.connect(token=f"sesame~{me}", device="phone")
        assert told["user"] == me
        assert told["token_expires"] > told["server_time"]
    async with await Stranger.dial(keeper) as ann:
        told = await ann.connect(ticket=told["ticket"], device="phone")
        assert told["user"] == me
        answer = await ann.call("refresh", token=f"sesame~{me}")
        assert answer["token_expires"] > told["server_time"]
        error = await ann.refused("refresh", token=f"wrong~{me}")
        assert error["code"] == "unauthorized"


async def test_it_is_asked_for_the_token_of_the_upgrade_too(keeper: Node, name: Name) -> None:
    async with await Stranger.dial(keeper, bearer=f"sesame~{name('ann')}") as ann:
        assert (await ann.connect(device="phone"))["user"] == name("ann")


async def test_who_is_nobody_is_closed_with_4500(keeper: Node, name: Name) -> None:
    for credentials in (f"wrong~{name('ann')}", token(name("ann"))):
        line = await Stranger.dial(keeper)
        line.tell("connect", id=1, token=credentials, device="phone")
        await line.expect_closed(4500)
        await line.leave()


@pytest.mark.parametrize(("trouble", "code"), [("bug", "internal"), ("hang", "unavailable")])
async def test_trouble_of_the_application_lets_the_client_come_back(
    keeper: Node, trouble: str, code: str
) -> None:
    line = await Stranger.dial(keeper)
    error = await line.ask("connect", token=f"{trouble}~x", device="phone")
    assert error["code"] == code
    await line.expect_closed(4006)
    await line.leave()


# -- what has happened ------------------------------------------------------------------------


async def test_every_event_is_told_once_and_in_order(hooked: Node, name: Name) -> None:
    me, you = name("ann"), name("bob")
    async with (
        await watch(hooked) as witness,
        await Stranger.join(hooked, me) as ann,
        await Stranger.join(hooked, you) as bob,
    ):
        await asyncio.gather(
            *(ann.send(f"user:{you}", f"{number}", key()) for number in range(20)),
            *(bob.send(f"user:{me}", f"{number}", key()) for number in range(20)),
        )
        found = await notes(witness, f"direct:{me},{you}", until=40)
        assert [note["n"] for note in found if "event" in note] == list(range(1, 41))
        assert {note["from"] for note in found} == {me, you}


async def test_changes_and_memberships_are_events_too(hooked: Node, name: Name) -> None:
    me, you = name("ann"), name("bob")
    async with await watch(hooked) as witness, await Stranger.join(hooked, me) as ann:
        group = await ann.make_group(you)
        conv = group["conv"]
        await ann.send(conv, "hi", key())
        await ann.call("react", conv=conv, n=group["head"] + 1, key=key(), emoji="+1", on=True)
        count = group["head"] + 2
        found = await notes(witness, conv, until=2 * count)
        told = sorted((note["n"], note["event"]) for note in found if "event" in note)
        assert [n for n, _ in told] == list(range(1, count + 1))
        assert {"message", "reaction"} <= {kind for _, kind in told}
        assert {note["missed"] for note in found if "missed" in note} == {you}


async def test_who_is_offline_is_named(hooked: Node, name: Name) -> None:
    me, you = name("ann"), name("bob")
    async with await watch(hooked) as witness, await Stranger.join(hooked, me) as ann:
        async with await Stranger.join(hooked, you):
            await ann.send(f"user:{you}", "here", key())
            await notes(witness, f"{me},{you}", until=1)
        await notes(witness, you, until=1)
        await ann.send(f"user:{you}", "gone", key())
        found = await notes(witness, f"{me},{you}", until=2)
        assert [note for note in found if "missed" in note] == [
            {"missed": you, "conv": f"direct:{me},{you}", "n": 2}
        ]


# -- start and stop ---------------------------------------------------------------------------


async def test_a_message_in_the_hands_of_the_application_survives_the_drain(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(flags=[HOOKED])
    me, to = name("ann"), f"user:{name('bob')}"
    ann = await Stranger.join(node, me)
    send = asyncio.create_task(ann.call("send", to=to, key=key(), text="slow but sure"))
    await asyncio.sleep(SLOW_SECONDS / 4)
    await asyncio.to_thread(node.stop)
    assert (await send)["n"] == 1
    ann.cut()
    node.restart()
    async with await Stranger.join(node, me) as ann:
        assert [event["text"] for event in await ann.read_all()] == ["slow but sure"]
    async with await Stranger.join(node, WITNESS) as witness:
        texts = [event.get("text") for event in await witness.read_all()]
        assert texts.count("started") == 1, "a key is a key, over restarts too"
        assert texts.count("stopped") == 1


async def test_who_was_there_when_the_node_ended_is_told_to_have_gone(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(flags=[HOOKED], env={"HIVEWIRE_DRAIN__SPREAD": "0s"})
    me = name("ann")
    ann = await Stranger.join(node, me)
    await asyncio.to_thread(node.stop)
    ann.cut()
    node.restart()
    async with await Stranger.join(node, WITNESS) as witness:
        events = await witness.read_all()
    gone = [event["data"] for event in events if "gone" in event.get("data", {})]
    assert gone == [{"gone": me, "code": 4000, "said": 0}]


async def test_I1_what_the_application_sent_survives_kill_9(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(flags=[HOOKED])
    me = name("ann")
    witness = await watch(node)
    async with await Stranger.join(node, me) as ann:
        await ann.send(f"user:{me}", "x", key())
    await notes(witness, me, until=2)
    before = await witness.read_all()
    witness.cut()
    node.kill9()
    node.restart()
    async with await Stranger.join(node, WITNESS) as witness:
        assert (await witness.read_all())[: len(before)] == before
        assert before[-1]["from"] == BOT


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("hooked", "is not MODULE:OBJECT"),
        ("tests.e2e.no_such_module:app", "No module named"),
        ("tests.e2e.hooked:no_such_app", "has no no_such_app"),
        ("os:path", "not a hivewire.App"),
    ],
)
def test_an_application_that_is_not_there_is_a_clear_error(spec: str, problem: str) -> None:
    done = hivewire("serve", spec, HIVEWIRE_AUTH__SECRET="0123456789abcdef0123456789abcdef")
    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_object_and_module_may_stand_the_other_way_round(start_node: Callable[..., Node]) -> None:
    start_node(flags=["app:tests.e2e.hooked"])


# -- the examples -----------------------------------------------------------------------------


async def test_the_moderator(start_node: Callable[..., Node], name: Name) -> None:
    node = start_node(flags=["examples.moderator:app"])
    banned = await Stranger.dial(node)
    banned.tell("connect", id=1, token=token("mallory"), device="phone")
    await banned.expect_closed(4507)
    await banned.leave()
    me, guest = name("ann"), name("guest.eve")
    async with await Stranger.join(node, me) as ann, await Stranger.join(node, guest) as eve:
        await ann.send(f"user:{guest}", "what the Heck, see https://example.org", key())
        assert (await eve.push())["text"] == "what the ****, see https://example.org"
        error = await eve.refused("send", to=f"user:{me}", key=key(), text="http://spam.example")
        assert (error["code"], error["field"]) == ("forbidden", "text")


async def test_the_bot(start_node: Callable[..., Node], name: Name) -> None:
    node = start_node(flags=["examples.bot:app"])
    async with await Stranger.join(node, name("ann")) as ann:
        sent = await ann.send("user:bot", "hello", key())
        reply = await ann.push()
        assert (reply["from"], reply["text"]) == ("bot", "you said: hello")
        assert reply["reply_to"] == sent["n"]
        await ann.send("user:bot", "!roll 1", key())
        assert (await ann.push())["text"] == "you rolled 1"
        await ann.send("user:bot", "!time", key())
        assert (await ann.push())["text"].endswith(" UTC")


async def test_the_audit_log(start_node: Callable[..., Node], name: Name, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    node = start_node(flags=["examples.audit:app"], env={"AUDIT_LOG": str(path)})
    me, you = name("ann"), name("bob")
    async with await Stranger.join(node, me) as ann:
        await ann.send(f"user:{you}", "für später", key())
    await asyncio.to_thread(node.stop)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    whats = [line["what"] for line in lines]
    assert sorted(whats) == ["connect", "disconnect", "event", "missed"]
    by = dict(zip(whats, lines, strict=True))
    assert by["connect"]["user"] == me
    assert by["disconnect"]["session"] == by["connect"]["session"]
    assert (by["event"]["text"], by["event"]["n"]) == ("für später", 1)
    assert by["missed"]["user"] == you
