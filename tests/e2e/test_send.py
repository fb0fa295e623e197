"""Sending, and what an answer means: protocol section 4. I1 I4."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import messagepack
from tests.e2e.rfc6455 import BINARY, TEXT
from tests.e2e.stranger import Stranger, key, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


async def test_a_message_from_ann_to_bob(node: Node, name: Name, encoding: str) -> None:
    ann, bob = name("ann"), name("bob")
    async with (
        await Stranger.join(node, ann, encoding=encoding) as a,
        await Stranger.join(node, bob, encoding=encoding) as b,
    ):
        k = key()
        sent = await a.call("send", id=2, to=f"user:{bob}", key=k, text="hi ✓ 😀")
        event = await b.event()
    ts = sent["ts"]
    conv = f"direct:{ann},{bob}"
    assert abs(ts - now_ms()) < 5000
    assert list(sent.items()) == [
        ("op", "sent"), ("id", 2), ("conv", conv), ("n", 1), ("seq", 1), ("ts", ts), ("dup", False),
    ]  # fmt: skip
    assert list(event.items()) == [
        ("op", "event"), ("seq", 1), ("type", "message"), ("conv", conv), ("n", 1), ("from", ann),
        ("key", k), ("ts", ts), ("text", "hi ✓ 😀"),
    ]  # fmt: skip


async def test_the_two_encodings_say_the_same(node: Node, name: Name) -> None:
    ann, bob = name("ann"), name("bob")
    data = {"n": [1, -1, 2**40, 0.5, None, True], "o": {"ü": ""}}
    async with (
        await Stranger.join(node, ann, encoding="json") as a,
        await Stranger.join(node, bob, "j", encoding="json") as j,
        await Stranger.join(node, bob, "m", encoding="msgpack") as m,
    ):
        await a.send(f"user:{bob}", "hi", key(), data=data)
        by_json, by_msgpack = await j.event(), await m.event()
        assert list(by_json.items()) == list(by_msgpack.items())
        assert by_json["data"] == data
        await m.send(f"user:{ann}", "back", key(), data=data)
        assert (await a.event())["data"] == data
        assert await j.read_all() == await m.read_all()


@pytest.mark.parametrize(
    "body",
    [
        {"text": "x"},
        {"data": {}},
        {"data": {"a": {"b": [1, 2.5, None, True, "é"]}}},
        {"text": "x", "data": {"a": 1}},
        {"text": '\x00\x1f"\\/\u2028 <b>'},
        {"text": "x" * 16384},
        {"text": "é" * 8192},
        {"text": "x", "mentions": ["bob"]},
        {"text": "x", "reply_to": 1},
    ],
    ids=lambda body: ",".join(body) + str(len(str(body))),
)
async def test_a_body_arrives_as_it_was_sent(
    node: Node, name: Name, encoding: str, body: dict[str, Any]
) -> None:
    async with (
        await Stranger.join(node, name("ann"), encoding=encoding) as ann,
        await Stranger.join(node, name("bob"), encoding=encoding) as bob,
    ):
        await ann.send(f"user:{name('bob')}", "one to reply to", key())
        await ann.call("send", to=f"user:{name('bob')}", key=key(), **body)
        _, event = await bob.events(2)
        assert {field: event[field] for field in body} == body
        page = await bob.sync(1)
        assert page["events"] == [{k: v for k, v in event.items() if k != "op"}]


async def test_to_takes_the_conversation_too(node: Node, name: Name, encoding: str) -> None:
    ann, bob = sorted((name("ann"), name("bob")))
    async with await Stranger.join(node, bob, encoding=encoding) as b:
        first = await b.send(f"direct:{ann},{bob}", "hi", key())
        second = await b.send(f"user:{ann}", "hi", key())
    assert first["conv"] == second["conv"] == f"direct:{ann},{bob}"
    assert (first["n"], second["n"]) == (1, 2)


async def test_user_ids_stand_in_byte_order(node: Node, name: Name) -> None:
    """`Z` sorts before `a`: bytes, not letters."""
    async with await Stranger.join(node, name("alf")) as alf:
        sent = await alf.send(f"user:{name('Zoe')}", "hi", key())
    assert sent["conv"] == f"direct:{name('Zoe')},{name('alf')}"


async def test_a_note_to_oneself_is_one_event(node: Node, name: Name, encoding: str) -> None:
    me = name("ann")
    async with (
        await Stranger.join(node, me, "phone", encoding=encoding) as phone,
        await Stranger.join(node, me, "desk", encoding=encoding) as desk,
    ):
        sent = await phone.send(f"user:{me}", "milk", key())
        assert (sent["conv"], sent["n"], sent["seq"]) == (f"direct:{me},{me}", 1, 1)
        assert (await desk.event())["seq"] == 1
        await phone.quiet()
        assert len((await phone.sync(0))["events"]) == 1


async def test_a_user_that_never_connected_has_a_timeline(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        await ann.send(f"user:{name('bob')}", "for later", key())
    async with await Stranger.join(node, name("bob"), cursor=0) as bob:
        (event,) = await bob.read_all()
    assert (event["seq"], event["text"]) == (1, "for later")


async def test_n_counts_a_conversation_and_seq_a_timeline(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        sents = [
            await ann.send(f"user:{name(peer)}", "hi", key())
            for peer in ("bob", "cat", "bob", "cat", "cat")
        ]
    assert [sent["n"] for sent in sents] == [1, 1, 2, 2, 3]
    assert [sent["seq"] for sent in sents] == [1, 2, 3, 4, 5]


# -- the key ----------------------------------------------------------------------------------


async def test_i4_the_same_key_gives_the_original_answer(
    node: Node, name: Name, encoding: str
) -> None:
    async with (
        await Stranger.join(node, name("ann"), encoding=encoding) as ann,
        await Stranger.join(node, name("bob"), encoding=encoding) as bob,
    ):
        k = key()
        first = await ann.send(f"user:{name('bob')}", "hi", k)
        await ann.send(f"user:{name('bob')}", "another", key())
        again = await ann.send(f"user:{name('bob')}", "hi", k)
        assert again["dup"] is True
        for field in ("conv", "n", "seq", "ts"):
            assert again[field] == first[field]
        assert [event["text"] for event in await bob.events(2)] == ["hi", "another"]
        await bob.quiet()


async def test_i4_the_key_counts_on_every_device_and_in_both_encodings(
    node: Node, name: Name
) -> None:
    k = key()
    data = {"b": 1, "a": [1.0, {"y": 2, "x": 1}]}
    turned = {"a": [1, {"x": 1, "y": 2}], "b": 1.0}
    async with await Stranger.join(node, name("ann"), "phone", encoding="json") as phone:
        first = await phone.call("send", to=f"user:{name('bob')}", key=k, data=data)
    ann, bob = sorted((name("ann"), name("bob")))
    async with await Stranger.join(node, name("ann"), "desk", encoding="msgpack") as desk:
        again = await desk.call("send", to=f"direct:{ann},{bob}", key=k, data=turned)
    assert again == first | {"id": again["id"], "dup": True}


@pytest.mark.parametrize(
    "other",
    [
        {"text": "other"},
        {"text": "hi", "data": {}},
        {"data": {"text": "hi"}},
        {"text": "hi", "mentions": ["bob"]},
        {"text": "hi", "to": "user:somebody.else"},
    ],
    ids=["text", "more data", "data", "mentions", "target"],
)
async def test_i4_another_body_under_the_key_is_a_conflict(
    node: Node, name: Name, encoding: str, other: dict[str, Any]
) -> None:
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        k = key()
        await ann.send(f"user:{name('bob')}", "hi", k)
        error = await ann.refused("send", **({"to": f"user:{name('bob')}", "key": k} | other))
        assert (error["code"], error["retryable"]) == ("conflict", False)
        assert (await ann.send(f"user:{name('bob')}", "hi", k))["dup"] is True


async def test_i4_a_resend_while_the_first_is_under_way_waits_for_it(
    node: Node, name: Name
) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        for _ in range(20):
            k = key()
            asked = [ann.ask("send", to=f"user:{name('bob')}", key=k, text="hi") for _ in range(5)]
            answers = await asyncio.gather(*asked)
            assert sorted(answer["dup"] for answer in answers) == [False, True, True, True, True]
            assert len({answer["n"] for answer in answers}) == 1


async def test_i4_a_resend_behind_a_sync_is_no_new_message(node: Node, name: Name) -> None:
    """The resend waits behind a page while its first try, behind a commit, becomes durable."""
    to = f"user:{name('bob')}"
    async with (
        await Stranger.join(node, name("ann")) as ann,
        await Stranger.join(node, name("cat")) as cat,
    ):
        for turn in range(300):
            command = {"op": "send", "to": to, "key": key(), "text": "hi"}
            sync = {"op": "sync", "after": turn}
            ids = range(1000 + 10 * turn, 1004 + 10 * turn)
            answers = [ann.expect(number) for number in ids]
            for pause in (0.0, 0.0001):
                answers.append(cat.ask("send", to=to, key=key(), text="load"))
                await asyncio.sleep(pause)
            ann.write(command | {"id": ids[0]})
            await asyncio.sleep(turn % 7 / 20_000)
            ann.write([sync | {"id": ids[1]}, command | {"id": ids[2]}, sync | {"id": ids[3]}])
            first, _, again, *_ = await asyncio.gather(*answers)
            assert (first["dup"], again["dup"], again["n"]) == (False, True, first["n"])


async def test_i4_keys_belong_to_their_user(node: Node, name: Name) -> None:
    k = key()
    async with (
        await Stranger.join(node, name("ann")) as ann,
        await Stranger.join(node, name("bob")) as bob,
    ):
        assert (await ann.send(f"user:{name('bob')}", "hi", k))["n"] == 1
        assert (await bob.send(f"user:{name('ann')}", "hi", k))["n"] == 2


async def test_a_refused_command_does_not_use_its_key_up(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        k = key()
        error = await ann.refused("send", to=f"user:{name('bob')}", key=k, text="x" * 16385)
        assert (error["code"], error["field"]) == ("too_large", "text")
        assert (await ann.send(f"user:{name('bob')}", "short", k))["dup"] is False


# -- order ------------------------------------------------------------------------------------


async def test_answers_come_in_the_order_of_the_sends(
    node: Node, name: Name, encoding: str
) -> None:
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        asked = [
            ann.ask("send", to=f"user:{name('bob')}", key=key(), text=f"{number}")
            for number in range(32)
        ]
        await asyncio.gather(*asked)
        sents = [message for message in ann.received if message["op"] == "sent"]
    assert [sent["n"] for sent in sents] == list(range(1, 33))
    assert [sent["id"] for sent in sents] == sorted(sent["id"] for sent in sents)


async def test_a_refused_send_does_not_hold_back_those_behind_it(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        good = ann.ask("send", to=f"user:{name('bob')}", key=key(), text="1")
        bad = ann.ask("send", to="nowhere", key=key(), text="2")
        behind = ann.ask("send", to=f"user:{name('bob')}", key=key(), text="3")
        assert [(await good)["n"], (await bad)["op"], (await behind)["n"]] == [1, "error", 2]


async def test_a_sender_gets_his_place_once_his_devices_the_event(
    node: Node, name: Name, encoding: str
) -> None:
    me = name("ann")
    async with (
        await Stranger.join(node, me, "phone", encoding=encoding) as phone,
        await Stranger.join(node, me, "desk", encoding=encoding) as desk,
    ):
        for _ in range(3):
            await phone.send(f"user:{name('bob')}", "hi", key())
            await desk.send(f"user:{name('bob')}", "hi", key())
        await phone.call("ping")
        await desk.call("ping")
        for line in (phone, desk):
            seqs = [m["seq"] for m in line.received if m["op"] in ("event", "sent")]
            assert seqs == [1, 2, 3, 4, 5, 6]


async def test_sends_in_flight_are_bounded(node: Node, name: Name) -> None:
    """More than the limit at once:

    none is lost or stored twice; what is refused may be sent again.
    """
    async with await Stranger.join(node, name("ann")) as ann:
        keys = [key() for _ in range(100)]
        commands = [
            {"op": "send", "id": 1000 + at, "to": f"user:{name('bob')}", "key": k, "text": "x"}
            for at, k in enumerate(keys)
        ]
        answers = [ann.expect(command["id"]) for command in commands]
        ann.write(commands[:50])
        ann.write(commands[50:])
        for k, answer in zip(keys, await asyncio.gather(*answers), strict=True):
            if answer["op"] == "error":
                assert (answer["code"], answer["retryable"]) == ("rate_limited", True)
                await ann.send(f"user:{name('bob')}", "x", k)
        assert (await ann.call("ping"))["head"] == 100


# -- commands in arrays -----------------------------------------------------------------------


async def test_an_array_of_commands_is_handled_in_order(
    node: Node, name: Name, encoding: str
) -> None:
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        to = f"user:{name('bob')}"
        answers = [ann.expect(number) for number in (11, 12, 13, 14)]
        ann.write(
            [
                {"op": "send", "id": 11, "to": to, "key": key(), "text": "1"},
                {"op": "dance", "id": 12},
                {"op": "send", "id": 13, "to": to, "key": key(), "text": "2"},
                {"op": "ping", "id": 14},
            ]
        )
        one, two, three, four = await asyncio.gather(*answers)
    assert (one["n"], three["n"], four["op"]) == (1, 2, "pong")
    assert (two["op"], two["code"]) == ("error", "unsupported")


async def test_an_empty_array_is_no_error(node: Node, name: Name, encoding: str) -> None:
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        ann.write([])
        assert (await ann.call("ping"))["op"] == "pong"
        assert "error" not in [message["op"] for message in ann.received]


async def test_64_objects_are_taken_and_65_dropped_whole(
    node: Node, name: Name, encoding: str
) -> None:
    to = f"user:{name('bob')}"
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        pings = [{"op": "ping", "id": 100 + at} for at in range(64)]
        answers = [ann.expect(ping["id"]) for ping in pings]
        ann.write(pings)
        assert [answer["op"] for answer in await asyncio.gather(*answers)] == ["pong"] * 64
        send = {"op": "send", "id": 9, "to": to, "key": key(), "text": "x"}
        ann.write([send] * 65)
        error = await ann.push("error")
        assert error["code"] in ("bad_request", "too_large")
        assert "id" not in error
        assert (await ann.call("ping"))["head"] == 0


async def test_a_fragmented_message_is_one_message(node: Node, name: Name, encoding: str) -> None:
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        command = {"op": "send", "id": 5, "to": f"user:{name('bob')}", "key": key(), "text": "é"}
        as_json = json.dumps(command, ensure_ascii=False).encode()
        raw = as_json if encoding == "json" else messagepack.pack(command)
        answer = ann.expect(5)
        opcode = TEXT if encoding == "json" else BINARY
        for at, byte in enumerate(raw):
            first, last = at == 0, at == len(raw) - 1
            ann.line.send(opcode if first else 0, bytes([byte]), fin=last)
        assert (await answer)["n"] == 1
