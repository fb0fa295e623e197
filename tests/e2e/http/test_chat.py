"""A user with a WebSocket and one without chat with each other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.http.web import Refused, Web, bearer
from tests.e2e.stranger import Closed, Stranger, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


async def test_c5_m1_a_websocket_and_a_long_poll_chat(node: Node, name: Name) -> None:
    ann = await Stranger.join(node, name("ann"))
    async with Web.of(node, name("bob")) as bob:
        after = (await bob.events())["next"]
        for turn in range(3):
            waiting = asyncio.create_task(bob.events(after=after, wait=25))
            await ann.send(f"user:{bob.user}", f"question {turn}", key())
            page = await waiting
            texts = [event["text"] for event in page["events"]]
            assert texts == [f"question {turn}"]
            sent = await bob.send(ann.user, f"answer {turn}")
            event = await ann.push("event")
            assert (event["text"], event["n"]) == (f"answer {turn}", sent["n"])
            after = sent["seq"]


async def test_c5_o1_m7_pages_over_http_are_those_of_the_websocket(node: Node, name: Name) -> None:
    ann, bob = name("ann"), name("bob")
    async with Web.of(node, ann) as sender, Web.of(node, bob) as reader:
        for n in range(7):
            await sender.send(bob, f"{n}")
        after, seen = 0, []
        while True:
            page = await reader.events(after=after, limit=3)
            seen += page["events"]
            after = page["next"]
            if page["done"]:
                break
        line = await Stranger.join(node, bob, "phone", cursor=0)
        assert seen == await line.read_all(0)
        assert page["epoch"] == line.connected["epoch"]


async def test_c5_o2_a_poll_has_a_cursor_of_its_own_and_replaces_nobody(
    node: Node, name: Name
) -> None:
    ann = await Stranger.join(node, name("ann"))
    bob = await Stranger.join(node, name("bob"), "http")
    async with Web.of(node, bob.user) as web:
        await ann.send(f"user:{bob.user}", "one", key())
        await bob.push("event")
        assert (await web.events(after=1))["events"] == []
        # The WebSocket of the same name is still there.
        await ann.send(f"user:{bob.user}", "two", key())
        assert (await bob.push("event"))["text"] == "two"
        page = await web.events(device="tab")
        assert (page["events"], page["next"]) == ([], 2)


async def test_m9_an_ack_over_http_marks_delivered(node: Node, name: Name) -> None:
    ann = await Stranger.join(node, name("ann"))
    async with Web.of(node, name("bob")) as bob:
        sent = await ann.send(f"user:{bob.user}", "hi", key())
        await bob.events(after=1)
        receipt = await ann.push("receipt")
        assert (receipt["user"], receipt["delivered"]) == (bob.user, sent["n"])


@pytest.mark.parametrize("kind", ["group", "channel"])
async def test_c5_m2_m3_rtm_speaks_with_groups_and_channels(
    node: Node, name: Name, kind: str
) -> None:
    ann = await Stranger.join(node, name("ann"))
    async with Web.of(node, name("bob")) as bob, Web.of(node, name("eve")) as eve:
        group = await ann.make_group(bob.user, kind=kind)
        conv = group["conv"]
        last = (await bob.receive(conv))["lastPos"]
        waiting = asyncio.create_task(bob.receive(conv, lastPos=last, wait=25))
        await ann.send(conv, "to all", key())
        received = await waiting
        (message,) = received["messages"]
        assert (message["text"], message["from"]) == ("to all", ann.user)
        assert message["sequenceID"] == f"{conv}:{group['head'] + 1}"
        assert (await bob.send(conv, "me too"))["n"] == group["head"] + 2
        with pytest.raises(Refused) as caught:
            await eve.receive(conv)
        assert (caught.value.status, caught.value.error["code"]) == (403, "forbidden")


async def test_c8_who_discovers_can_connect_there(node: Node, name: Name) -> None:
    async with Web.of(node, name("ann")) as ann:
        found = await ann.get("/api/v1/discover")
        host, port = node.edge
        assert found["url"] == f"ws://{host}:{port}/v1/ws"
        line = await Stranger.join(node, ann.user)
        assert line.connected["node"] == found["node"]


async def test_the_backend_speaks_reads_and_sends_away(node: Node, name: Name) -> None:
    phone = await Stranger.join(node, name("ann"), "phone")
    tab = await Stranger.join(node, phone.user, "tab")
    async with Web.of(node, None) as backend:
        body = {"from": name("bot"), "to": f"user:{phone.user}", "key": key(), "text": "hello"}
        sent = await backend.post("/api/v1/server/send", **body)
        for line in (phone, tab):
            event = await line.push("event")
            assert (event["from"], event["n"]) == (body["from"], sent["n"])
        past = await backend.post("/api/v1/server/history", conv=sent["conv"])
        assert [one["text"] for one in past["items"]] == ["hello"]
        there = await backend.post("/api/v1/server/presence", users=[phone.user, name("no")])
        assert [one["state"] for one in there["items"]] == ["online", "offline"]
        assert sorted(there["items"][0]["devices"]) == ["phone", "tab"]
        away = {"user": phone.user, "device": "tab"}
        assert await backend.post("/api/v1/server/disconnect", **away) == {"disconnected": 1}
        with pytest.raises(Closed) as closed:
            await tab.push("event")
        assert closed.value.code == 4503
        assert (await phone.call("ping"))["op"] == "pong"
        minted = await backend.post("/api/v1/server/tokens", user=name("zoe"))
        zoe = await Stranger.dial(node)
        assert (await zoe.connect(token=minted["token"], device="tv"))["user"] == name("zoe")


async def test_a_page_of_an_allowed_origin_may_call(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env={"HIVEWIRE_API__ORIGINS": "https://chat.example"})
    async with Web.of(node, name("ann")) as ann:
        origin = {"Origin": "https://chat.example"}
        found = await ann.http.get("/api/v1/discover", headers=origin)
        assert found.headers["access-control-allow-origin"] == "https://chat.example"
        asks = origin | {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        async with httpx.AsyncClient(base_url=ann.http.base_url) as nobody:
            assert (await nobody.options("/api/v1/rtm.send", headers=asks)).status_code == 200


async def test_o6_http_is_under_the_rates_of_a_connection(
    start_node: Callable[..., Node], name: Name
) -> None:
    env = {"HIVEWIRE_LIMITS__SENDS_PER_SECOND": "1", "HIVEWIRE_LIMITS__SENDS_BURST": "2"}
    node = start_node(env=env)
    async with Web.of(node, name("ann")) as ann, Web.of(node, name("bob")) as bob:
        results = await asyncio.gather(
            *(ann.send(bob.user, f"{n}") for n in range(8)), return_exceptions=True
        )
        refused = [one for one in results if isinstance(one, Refused)]
        assert len(refused) >= 4
        assert {one.status for one in refused} == {429}
        assert all(one.error["retryable"] and one.error["retry_after_ms"] for one in refused)
        assert (await bob.send(ann.user, "I may"))["n"]


async def test_a_token_in_the_url_is_no_token(node: Node, name: Name) -> None:
    shown = bearer(name("ann"))["Authorization"].removeprefix("Bearer ")
    async with Web.of(node, None) as backend:
        found = await backend.http.get("/api/v1/discover", params={"token": shown})
        assert found.status_code == 401
