"""The timeline without a WebSocket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.certificates import issue

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
EVENTS = "/api/v1/events"


def seqs(page: dict[str, Any]) -> list[int]:
    return [event["seq"] for event in page["events"]]


async def polling(site: Site, count: int = 1) -> None:
    while site.node.polls.open < count:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0)


def test_a_page_acknowledges_the_one_before(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        for text in "abc":
            await site.says("ann", "user:bob", text)
        first = await site.get("bob", EVENTS, after=0, limit=2)
        assert (seqs(first), first["next"], first["head"], first["done"]) == ([1, 2], 2, 3, False)
        assert first["epoch"] == site.node.store.epoch
        second = await site.get("bob", EVENTS, after=2, limit=2)
        assert (seqs(second), second["done"]) == ([3], True)
        assert site.node.view.cursors.load("bob", "http") == 2
        # Whoever asks again, without a place, goes on from the cursor.
        assert seqs(await site.get("bob", EVENTS)) == [3]

    story(tmp_path, tell)


def test_a_new_device_begins_at_the_head_and_is_known_from_then_on(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.says("ann", "user:bob", "before")
        page = await site.get("bob", EVENTS, device="tab")
        assert (page["events"], page["next"], page["done"]) == ([], 1, True)
        await site.says("ann", "user:bob", "after")
        assert seqs(await site.get("bob", EVENTS, device="tab")) == [2]

    story(tmp_path, tell)


def test_a_long_poll_is_woken_by_the_next_event(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        waiting = asyncio.create_task(site.get("bob", EVENTS, after=0, wait=25))
        await polling(site)
        await site.says("ann", "user:eve", "not for bob")
        await site.says("ann", "user:bob", "hi")
        assert seqs(await asyncio.wait_for(waiting, 10)) == [1]

    story(tmp_path, tell)


def test_a_long_poll_does_not_wait_for_what_is_there(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.says("ann", "user:bob", "hi")
        page = await asyncio.wait_for(site.get("bob", EVENTS, after=0, wait=25), 10)
        assert seqs(page) == [1]

    story(tmp_path, tell)


def test_a_newer_poll_of_the_device_ends_the_older_one(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        older = asyncio.create_task(site.get("bob", EVENTS, after=0, wait=25))
        await polling(site)
        newer = asyncio.create_task(site.get("bob", EVENTS, after=0, wait=25))
        assert seqs(await asyncio.wait_for(older, 10)) == []
        await site.says("ann", "user:bob", "hi")
        assert seqs(await asyncio.wait_for(newer, 10)) == [1]

    story(tmp_path, tell)


def test_a_silent_poll_ends_with_an_empty_page(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        page = await site.get("bob", EVENTS, after=0, wait=9_999)
        assert (page["events"], page["done"]) == ([], True)

    story(tmp_path, tell, api={"poll_time": "100ms"})


def test_polls_are_cut_when_the_node_goes_down(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        waiting = asyncio.create_task(site.get("bob", EVENTS, after=0, wait=25))
        await polling(site)
        site.node.api.drain()
        assert seqs(await asyncio.wait_for(waiting, 10)) == []

    story(tmp_path, tell)


def test_i8_one_poll_too_many_is_told_to_come_back(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        waiting = asyncio.create_task(site.get("bob", EVENTS, after=0, wait=25))
        await polling(site)
        query = {"after": 0, "wait": 25}
        assert (await site.refused("eve", "GET", EVENTS, 503, params=query))["retryable"]
        await site.says("ann", "user:bob", "hi")
        await waiting

    story(tmp_path, tell, api={"polls": 1})


def test_i9_what_is_wrong_is_told_by_its_field(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"after": 9}, "after"),
        ({"after": -1}, "after"),
        ({"after": "x"}, "after"),
        ({"limit": 0}, "limit"),
        ({"wait": -1}, "wait"),
        ({"device": "no device"}, "device"),
        ({"device": "phone\n"}, "device"),
    ]

    async def tell(site: Site) -> None:
        for query, field in wrong:
            error = await site.refused("bob", "GET", EVENTS, 400, params=query)
            assert error["field"] == field, query

    story(tmp_path, tell)


def test_a_token_of_one_device_polls_for_that_device(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.says("ann", "user:bob", "hi")
        bound = {"device": "phone"}
        await site.call("bob", "GET", EVENTS, params={"after": 1}, **bound)
        assert site.node.view.cursors.load("bob", "phone") == 1
        found = await site.call("bob", "GET", EVENTS, params={"device": "tab"}, **bound)
        assert (found.status_code, found.json()["error"]["field"]) == (403, "device")

    story(tmp_path, tell)


def test_questions_are_answered_as_on_a_websocket(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.says("ann", "user:bob", "hi")
        listing = await site.get("bob", "/api/v1/conversations", messages=1)
        assert listing["op"] == "conversations"
        (item,) = listing["items"]
        assert (item["conv"], item["unread"], item["last"][0]["text"]) == (
            "direct:ann,bob",
            1,
            "hi",
        )
        past = await site.get("bob", "/api/v1/history", conv="direct:ann,bob", limit=1)
        assert (past["op"], past["items"][0]["text"], past["done"]) == ("history", "hi", True)

    story(tmp_path, tell)


def test_and_refused_as_there(tmp_path: Path) -> None:
    wrong: list[tuple[str, dict[str, Any], int]] = [
        ("conversations", {"before": "nonsense"}, 400),
        ("history", {}, 400),
        ("history", {"conv": "nonsense"}, 400),
        ("history", {"conv": "direct:ann,eve"}, 403),
        ("history", {"conv": "group:nowhere"}, 403),
        ("history", {"conv": "direct:ann,bob", "before": 1, "after": 1}, 400),
    ]

    async def tell(site: Site) -> None:
        for path, query, status in wrong:
            await site.refused("bob", "GET", f"/api/v1/{path}", status, params=query)

    story(tmp_path, tell)


def test_questions_have_a_rate(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        for _ in range(2):
            await site.get("bob", EVENTS, after=0)
        error = await site.refused("bob", "GET", EVENTS, 429, params={"after": 0})
        assert error["retry_after_ms"] > 0

    story(tmp_path, tell, limits={"queries_per_second": 1, "queries_burst": 2})


def test_discover_says_where_the_edge_is(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        site.node.edge = "127.0.0.1:8000"
        found = await site.get("bob", "/api/v1/discover")
        assert found["url"] == "ws://127.0.0.1:8000/v1/ws"
        assert found["node"] == site.node.settings.node.name
        site.node.edge = "0.0.0.0:8000"
        assert (await site.get("bob", "/api/v1/discover"))["url"] == "ws://node:8000/v1/ws"
        site.node.edge = "::1:8000"
        assert (await site.get("bob", "/api/v1/discover"))["url"] == "ws://[::1]:8000/v1/ws"

    story(tmp_path, tell)


def test_discover_says_what_the_settings_say(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        found = await site.get("bob", "/api/v1/discover")
        assert found["url"] == "wss://chat.example/v1/ws"

    story(tmp_path, tell, api={"edge_url": "wss://chat.example/v1/ws"})


def test_discover_names_tls_where_the_edge_speaks_it(tmp_path: Path) -> None:
    pair = issue(tmp_path)

    async def tell(site: Site) -> None:
        site.node.edge = "127.0.0.1:8000"
        assert (await site.get("bob", "/api/v1/discover"))["url"] == "wss://127.0.0.1:8000/v1/ws"

    story(tmp_path, tell, edge={"tls_cert": pair.cert, "tls_key": pair.key})
