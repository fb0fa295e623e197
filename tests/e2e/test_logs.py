"""P3: one connection and one message are followed through the log of a real node, by their ids."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx

from tests.e2e.http.web import url
from tests.e2e.receiver import Receiver
from tests.e2e.stranger import Stranger, key
from tests.e2e.test_command_line import hivewire
from tests.e2e.test_push import pushing, register
from tests.node import API_KEY, SECRET
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node import Node

LOGGED = {"HIVEWIRE_LOG__FORMAT": "json"}
DEBUG = LOGGED | {"HIVEWIRE_LOG__LEVEL": "debug"}
ALWAYS = {"event", "level", "timestamp"}

Line = dict[str, Any]


def lines(node: Node, **wanted: Any) -> list[Line]:
    """The lines of the log with these fields; each line is JSON, whoever wrote it."""
    found = [json.loads(line) for line in node.stderr().splitlines()]
    assert all(line.keys() >= ALWAYS for line in found)
    return [line for line in found if wanted.items() <= line.items()]


async def backend(node: Node, method: str, path: str, request: str, **more: Any) -> Any:
    """A call with the API key under an id of its own."""
    headers = {"X-API-Key": API_KEY, "X-Request-Id": request}
    async with httpx.AsyncClient(base_url=url(node), headers=headers, trust_env=False) as http:
        found = await http.request(method, f"/api/v1/server/{path}", **more)
    assert (found.status_code, found.headers["x-request-id"]) == (200, request), found.text
    return found.json()


async def test_a_message_and_its_connections_are_followed_by_their_ids(
    start_node: Callable[..., Node],
) -> None:
    node = start_node(env=DEBUG)
    first = key()
    async with await Stranger.join(node, "ann") as ann, await Stranger.join(node, "ben") as ben:
        sent = await ann.send("user:ben", "nobody logs this", first)
        await ann.send("user:ben", "nobody logs this", first)
        await ben.event()
        await ben.call("ack", seq=1)
        refused = await ann.refused("send", to="group:nowhere", key=key(), text="nor this")
        await ann.call("read", conv=sent["conv"], n=1)

        listed = await backend(node, "GET", "connections", "look-1")
        where = {item["user"]: item["connections"] for item in listed["items"]}
        assert where["ann"] == [{"device": "phone", "connection": ann.connected["session"]}]
        trace = {"conv": sent["conv"], "n": 1}
        traced = await backend(node, "GET", "trace", "look-2", params=trace)
        (device,) = traced["recipients"][0]["devices"]
        assert device["connection"] == ben.connected["session"]
        assert await backend(node, "POST", "disconnect", "kick-1", json={"user": "ben"})
        await ben.expect_closed(4503)
    node.stop()

    who = {"connection": ann.connected["session"], "user": "ann", "device": "phone"}
    place = {"conv": traced["conv"], "n": traced["n"], "key": traced["key"]}
    events = [line["event"] for line in lines(node, **who)]
    assert events == ["connected", "accepted", "repeated", "refused", "closed"]
    assert [line["event"] for line in lines(node, **place)] == ["accepted", "shown", "repeated"]
    assert lines(node, **who, **place, event="accepted")
    assert lines(node, **who, event="connected", kind="new")
    (no,) = lines(node, event="refused")
    assert (no["op"], no["to"], no["code"]) == ("send", "group:nowhere", "forbidden")
    assert (no["id"], no["reason"]) == (refused["id"], refused["message"])
    assert lines(node, event="marked", conv=sent["conv"], user="ben", delivered=1)
    (code,) = {line["code"] for line in lines(node, connection=ben.connected["session"], user="ben")
               if line["event"] in ("closing", "closed")}  # fmt: skip
    assert code == 4503
    asked = {line["request"]: line["path"] for line in lines(node, event="answered", status=200)}
    assert asked["look-2"] == "/api/v1/server/trace"
    for secret in ("nobody logs this", "nor this", SECRET, API_KEY, token("ann").split(".")[0]):
        assert secret not in node.stderr()


async def test_a_request_and_the_push_that_it_brings(start_node: Callable[..., Node]) -> None:
    async with Receiver(500) as receiver:
        node = start_node(env=pushing(receiver) | DEBUG)
        await register(node, "bob")
        wish = {"from": "shop", "to": "user:bob", "key": "order-4711-paid", "text": "Paid."}
        sent = await backend(node, "POST", "send", "order-4711", json=wish)
        call = (await receiver.until(2))[1]
    node.stop()
    (accepted,) = lines(node, event="accepted", request="order-4711")
    place = {"conv": sent["conv"], "n": 1}
    assert accepted.items() >= (place | {"key": "order-4711-paid", "user": "shop"}).items()
    pushed = lines(node, event="pushed", push=call.json["id"], user="bob", device="phone", **place)
    assert [line["result"] for line in pushed] == ["retry", "ok"]
    assert lines(node, event="answered", request="order-4711", path="/api/v1/server/send")


async def test_a_device_that_comes_back_has_another_connection(
    start_node: Callable[..., Node],
) -> None:
    """With `log.connections` at level `info`: how connections begin and end, and nothing else."""
    node = start_node(env=LOGGED | {"HIVEWIRE_LOG__CONNECTIONS": "true"})
    sessions: list[str] = []
    for _ in range(2):
        async with await Stranger.join(node, "ann") as ann:
            sessions.append(ann.connected["session"])
            await ann.send("user:ben", "hello", key())
    older = await Stranger.join(node, "ann")
    async with await Stranger.join(node, "ann"):
        await older.expect_closed(4505)
    node.stop()
    assert len(set(sessions)) == 2
    told = [(line["event"], line.get("kind", line.get("name"))) for session in sessions
            for line in lines(node, connection=session)]  # fmt: skip
    assert told == [("connected", "new"), ("closed", "normal"), ("connected", "resumed"),
                    ("closed", "normal")]  # fmt: skip
    (ended,) = lines(node, event="closed", connection=older.connected["session"])
    assert (ended["code"], ended["name"]) == (4505, "replaced")
    assert (ended["user"], ended["device"]) == ("ann", "phone")
    assert lines(node, level="debug") == []


async def test_by_default_nobody_is_followed_until_a_reload(
    start_node: Callable[..., Node], tmp_path: Path
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("")
    node = start_node(env=LOGGED, flags=["--config", str(settings)])
    async with await Stranger.join(node, "ann") as ann:
        await ann.send("user:ben", "hello", key())
        await ann.refused("send", to="group:nowhere", key=key(), text="x")
        assert {line["event"] for line in lines(node)} == {"the node is ready"}
        settings.write_text('log.level = "debug"\n')
        done = await asyncio.to_thread(hivewire, "reload", "--data", str(node.data))
        assert done.returncode == 0, done.stderr
        await ann.send("user:ben", "hello", key())
    node.stop()
    followed = lines(node, connection=ann.connected["session"])
    assert [line["event"] for line in followed] == ["accepted", "closed"]
    assert lines(node, event="shown", n=2)
