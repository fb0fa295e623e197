"""Commands without a connection: the handlers' own answers, and nothing of them to the engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from hivewire.api.calls import line_of, without_id
from hivewire.api.errors import ApiError
from hivewire.core.unread import OutOfBudget
from hivewire.gateway import OPS

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def told(site: Site) -> list[tuple[Any, ...]]:
    """What reaches the engine from now on."""
    seen: list[tuple[Any, ...]] = []
    real = site.node.engine

    class Engine:
        def submit(self, ops: list[tuple[Any, ...]]) -> int:
            seen.extend(ops)
            return real.submit(ops)

    site.node.calls._engine = Engine()
    return seen


def test_I1_a_message_is_answered_when_it_is_durable(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        seen = told(site)
        sent = await site.says("ann", "user:bob", "hi")
        assert (sent["op"], sent["conv"], sent["n"]) == ("sent", "direct:ann,bob", 1)
        assert "id" not in sent
        assert site.node.view.user("ann").durable == 1
        # Her other devices get the event: no connection has had an answer in its place.
        (event,) = (op for op in seen if op[0] == OPS.events)
        assert event[4:] == (0, None)

    story(tmp_path, tell)


def test_the_engine_sees_no_line_below_zero(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        seen = told(site)
        await site.says("ann", "user:bob", "hi")
        await site.does("ann", "sync", after=0)
        await site.does("ann", "conversations")
        made = await site.does("ann", "group.create", key="k" * 8, kind="channel")
        await site.says("ann", made["conv"], "all")
        with pytest.raises(ApiError, match="forbidden"):
            await site.does("ann", "history", conv="group:none")
        for op in seen:
            assert not any(isinstance(part, int) and part < 0 for part in op), op

    story(tmp_path, tell)


def test_a_resend_gets_the_first_answer(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        first = await site.says("ann", "user:bob", "hi")
        assert await site.says("ann", "user:bob", "hi") == first | {"dup": True}

    story(tmp_path, tell)


def test_what_is_wrong_is_refused_with_its_field(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        for fields, code, field in (
            ({"to": "user:bob", "key": "short", "text": "x"}, "bad_request", "key"),
            ({"to": "nobody", "key": "k" * 8, "text": "x"}, "bad_request", "to"),
            ({"to": "group:none", "key": "k" * 8, "text": "x"}, "forbidden", "to"),
        ):
            with pytest.raises(ApiError) as caught:
                await site.does("ann", "send", **fields)
            assert (caught.value.code, caught.value.field) == (code, field)

    story(tmp_path, tell)


def test_calls_of_a_user_are_under_the_rates_of_one_connection(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        results = await asyncio.gather(
            *(site.says("ann", "user:bob", f"{n}") for n in range(4)), return_exceptions=True
        )
        refused = [one for one in results if isinstance(one, ApiError)]
        assert [one.code for one in refused] == ["rate_limited"] * 2
        assert refused[0].retry_after_ms
        assert (await site.says("bob", "user:ann", "me"))["n"] == 3

    limits = {"sends_per_second": 1, "sends_burst": 2, "sends_per_second_user": 0}
    story(tmp_path, tell, limits=limits)


def test_who_has_the_key_is_under_no_rates(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        for n in range(5):
            fields = {"to": "user:bob", "key": f"key-number-{n}", "text": "hi"}
            await site.node.calls.run_trusted("send", fields, "ann")
            await site.node.calls.run_trusted("conversations", {}, "ann")

    limits = {"sends_per_second": 1, "sends_burst": 1, "sends_per_second_user": 1}
    tight = limits | {"sends_burst_user": 1, "queries_per_second": 1, "queries_burst": 1}
    story(tmp_path, tell, limits=tight)


def test_a_client_that_gave_up_changes_nothing_for_the_next(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        task = asyncio.create_task(site.says("ann", "user:bob", "hi"))
        await asyncio.sleep(0)
        task.cancel()
        assert (await site.says("ann", "user:bob", "again"))["n"] == 2
        assert not site.node.calls._open

    story(tmp_path, tell)


def test_when_the_node_ends_what_waits_is_unknown(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        task = asyncio.create_task(site.says("ann", "user:bob", "hi"))
        await asyncio.sleep(0)
        site.node.calls.stop()
        with pytest.raises(ApiError, match="unavailable"):
            await task
        with pytest.raises(ApiError, match="unavailable"):
            await site.node.calls.read(lambda: 1)
        with pytest.raises(ApiError, match="unavailable"):
            site.node.calls.do(lambda: None)

    story(tmp_path, tell)


def test_who_is_under_way_is_answered_when_no_more_are_taken(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        task = asyncio.create_task(site.says("ann", "user:bob", "hi"))
        await asyncio.sleep(0)
        site.node.calls.refuse()
        assert (await task)["n"] == 1
        with pytest.raises(ApiError, match="unavailable"):
            await site.says("ann", "user:bob", "ho")

    story(tmp_path, tell)


def test_I2_a_read_waits_for_what_is_being_written(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        sending = asyncio.create_task(site.says("ann", "user:bob", "hi"))
        await asyncio.sleep(0)
        timeline = site.node.view.user("bob")
        assert (timeline.planned, timeline.durable) == (1, 0)
        assert await site.node.calls.read(lambda: timeline.durable) == 1
        await sending

    story(tmp_path, tell)


def test_a_read_may_go_on_in_pieces_and_may_fail(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        done: list[str] = []

        def look() -> str:
            if not done:
                raise OutOfBudget(lambda: done.append("a piece"))
            return done[0]

        assert await site.node.calls.read(look) == "a piece"
        with pytest.raises(ZeroDivisionError):
            await site.node.calls.read(lambda: 1 // 0)

    story(tmp_path, tell)


def test_answers_lose_their_id() -> None:
    assert without_id(b'{"op":"ok","id":7}') == b'{"op":"ok"}'
    assert without_id(b'{"op":"page","id":7,"events":[]}') == b'{"op":"page","events":[]}'
    with pytest.raises(ApiError, match="conflict: no"):
        without_id(b'{"op":"error","id":7,"code":"conflict","message":"no","retryable":false}')


def test_lines_are_below_that_of_the_backend() -> None:
    assert line_of("ann") < -1
    assert line_of("ann") == line_of("ann") != line_of("bob")
