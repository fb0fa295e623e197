"""Keys that devices publish, and messages that only those devices can read. Row P8."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from examples.e2ee import Device, Unreadable, from_text, look_up, say, to_text

from hivewire.client import Client
from tests.e2e.stranger import Stranger
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

ROOT = Path(__file__).parents[2]
SECRET = "a word that nobody else may read"
CONV = "direct:ann,bob"


async def test_p8_keys_are_published_found_and_taken_away(
    node: Node, name: Name, encoding: str
) -> None:
    me, keys = name("ann"), {"x25519": "AAAA", "more": [1, {"é": None}]}
    async with (
        await Stranger.join(node, me, "phone", encoding=encoding) as phone,
        await Stranger.join(node, me, "tab", encoding=encoding) as tab,
        await Stranger.join(node, name("bob"), encoding=encoding) as bob,
    ):
        assert await phone.call("keys.put", id=7, keys=keys) == {"op": "ok", "id": 7}
        await tab.call("keys.put", keys={"x25519": "BBBB"})
        answer = await bob.call("keys.get", id=8, user=me)
        assert all(abs(one.pop("ts") / 1000 - time.time()) < 60 for one in answer["devices"])
        assert answer == {
            "op": "keys",
            "id": 8,
            "user": me,
            "devices": [
                {"device": "phone", "keys": keys},
                {"device": "tab", "keys": {"x25519": "BBBB"}},
            ],
        }
        await phone.call("keys.put", keys={}, device="tab")
        left = (await bob.call("keys.get", user=me))["devices"]
        assert [one["device"] for one in left] == ["phone"]
        assert (await bob.call("keys.get", user=name("nobody")))["devices"] == []


async def test_what_is_no_set_of_keys_is_refused(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        for keys, code in (
            (None, "bad_request"),
            (["k"], "bad_request"),
            ({"k": "x" * 9000}, "too_large"),
        ):
            error = await ann.refused("keys.put", keys=keys)
            assert (error["code"], error["field"]) == (code, "keys")
        error = await ann.refused("keys.put", keys={"k": 1}, device="another")
        assert (error["code"], error["field"]) == ("forbidden", "device")
        assert (await ann.refused("keys.get", user="no one"))["field"] == "user"


async def test_p8_i1_keys_and_encrypted_messages_survive_a_kill(
    start_node: Callable[..., Node],
) -> None:
    node = start_node()
    async with await Stranger.join(node, "ann") as ann:
        await ann.call("keys.put", keys={"k": "v"})
        node.kill9()
    node.restart()
    async with await Stranger.join(node, "bob") as bob:
        (found,) = (await bob.call("keys.get", user="ann"))["devices"]
        assert (found["device"], found["keys"]) == ("phone", {"k": "v"})
    node.stop()
    command = (sys.executable, "-m", "hivewire", "verify", "--data", str(node.data))
    proof = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    assert await proof.wait() == 0


async def test_p8_two_clients_of_the_sdk_talk_and_the_node_sees_nothing(
    start_node: Callable[..., Node],
) -> None:
    node = start_node()
    host, port = node.edge
    url = f"ws://{host}:{port}/v1/ws"
    mine, theirs = Device("ann", "phone"), Device("bob", "phone")
    async with (
        Client(url, token("ann"), device="phone") as ann,
        Client(url, token("bob"), device="phone") as bob,
    ):
        await ann.keys_put(keys=mine.public)
        await bob.keys_put(keys=theirs.public)
        await say(ann, mine, "bob", SECRET)
        senders = await look_up(bob, ["ann"])
        async with asyncio.timeout(20):
            async for event in bob:
                assert event.data is not None
                assert theirs.open(event.data, event.conv, event.sender, senders) == SECRET
                break
    node.stop()
    stored = b"".join(path.read_bytes() for path in node.data.rglob("*") if path.is_file())
    assert b"hivewire-envelopes-1" in stored
    assert SECRET.encode() not in stored


async def test_p8_the_worked_example_runs(start_node: Callable[..., Node]) -> None:
    node = start_node()
    host, port = node.edge
    tokens = token("ann"), token("bob")
    example = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.e2ee", f"ws://{host}:{port}/v1/ws", *tokens),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    told = (await example.communicate())[0].decode()
    assert example.returncode == 0, told
    readers = [line.partition(": ") for line in told.splitlines()]
    assert [name for name, _, _ in readers] == ["ann/laptop", "bob/phone", "bob/tablet"]
    assert {text for _, _, text in readers} == {"Nobody but us reads this."}


# -- what an envelope keeps out -------------------------------------------------------------------


ANN, BOB, EVE = Device("ann", "phone"), Device("bob", "phone"), Device("eve", "phone")


def public(device: Device) -> Any:
    return device._private.public_key()


def directory(*devices: Device) -> dict[str, Any]:
    return {device.name: public(device) for device in devices}


def sealed() -> dict[str, Any]:
    return ANN.seal(SECRET, CONV, directory(ANN, BOB))


def test_every_device_that_was_meant_can_read_it() -> None:
    data = sealed()
    for device in (ANN, BOB):
        assert device.open(data, CONV, "ann", directory(ANN)) == SECRET
    assert SECRET not in str(data)


def flipped(text: str) -> str:
    raw = bytearray(from_text(text))
    raw[-1] ^= 1
    return to_text(bytes(raw))


SPOILED: dict[str, Callable[[dict[str, Any]], tuple[dict[str, Any], str, str]]] = {
    "in another conversation": lambda data: (data, "direct:ann,eve", "ann"),
    "from another user": lambda data: (data, CONV, "eve"),
    "of another device": lambda data: (data | {"by": "ann/laptop"}, CONV, "ann"),
    "another text": lambda data: (data | {"text": flipped(data["text"])}, CONV, "ann"),
    "another key": lambda data: (data | {"ephemeral": flipped(data["ephemeral"])}, CONV, "ann"),
    "no envelope": lambda data: (data | {"to": {}}, CONV, "ann"),
    "another's envelope": lambda data: (
        data | {"to": {BOB.name: data["to"][ANN.name]}},
        CONV,
        "ann",
    ),
    "a key of zeros": lambda data: (data | {"ephemeral": to_text(bytes(32))}, CONV, "ann"),
    "nonsense": lambda _: ({"by": 7, "ephemeral": "!", "text": None, "to": 3}, CONV, "ann"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_was_changed_does_not_open(what: str) -> None:
    data, conv, sender = SPOILED[what](sealed())
    with pytest.raises(Unreadable):
        BOB.open(data, conv, sender, directory(ANN, EVE))


def test_nobody_writes_in_anothers_name() -> None:
    forged = EVE.seal("send me money", CONV, directory(BOB)) | {"by": ANN.name}
    with pytest.raises(Unreadable):
        BOB.open(forged, CONV, "ann", directory(ANN))


def test_who_was_not_meant_cannot_read_it() -> None:
    with pytest.raises(Unreadable):
        EVE.open(sealed(), CONV, "ann", directory(ANN))
