"""What may be given twice survives lines; other commands end with theirs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from hivewire.client.errors import Closed, CommandFailed, Discarded, Disconnected
from hivewire.client.outgoing import Outgoing
from hivewire.client.store import Store
from hivewire.client.writer import Writer
from tests.unit.client.virtual import run

if TYPE_CHECKING:
    from pathlib import Path

    from hivewire.client.following import Status

pytestmark = pytest.mark.unit


class Wire:
    """What goes out, and answers to it."""

    def __init__(self, window: int = 32, store: Store | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self.statuses: list[Status] = []
        self.failures: list[Exception] = []
        self.writer = Writer(store, self.failures.append)
        self.outgoing = Outgoing(self.sent.append, self.writer, self.statuses.append)
        self.outgoing.window = window

    async def start(self, key: str, to: str = "") -> asyncio.Task[Any]:
        """Send to somebody of its own, or to `to`."""
        command = {"op": "send", "to": to or f"user:{key}", "key": key, "text": "x"}
        task = asyncio.create_task(self.outgoing.ask(command))
        await asyncio.sleep(0)
        return task

    def answer(self, key: str, n: int = 1, *, dup: bool = False) -> None:
        command = next(c for c in reversed(self.sent) if c["key"] == key)
        body = {"conv": "direct:a,b", "n": n, "seq": n, "ts": 1, "dup": dup}
        self.outgoing.on_answer({"op": "sent", "id": command["id"], **body})

    def refuse(self, key: str, code: str, **more: Any) -> None:
        command = next(c for c in reversed(self.sent) if c["key"] == key)
        body = {"code": code, "message": "", "retryable": False, **more}
        self.outgoing.on_answer({"op": "error", "id": command["id"], **body})

    def keys(self) -> list[str]:
        return [command["key"] for command in self.sent]

    def states(self) -> list[str]:
        return [f"{status.key} {status.state}" for status in self.statuses]

    def online(self) -> None:
        self.outgoing.window = 32
        self.outgoing.flush()


def test_a_send_waits_for_its_answer() -> None:
    async def story() -> None:
        wire = Wire()
        task = await wire.start("k1")
        assert list(wire.sent[0]) == ["op", "id", "to", "key", "text"]
        wire.answer("k1", 7)
        assert (await task)["n"] == 7

    run(story())


def test_unanswered_sends_go_out_again_in_their_order_with_their_keys() -> None:
    async def story() -> None:
        wire = Wire()
        tasks = [await wire.start(key) for key in ("k1", "k2", "k3")]
        wire.answer("k2", 2)
        wire.outgoing.on_offline()
        assert wire.keys() == ["k1", "k2", "k3"]
        wire.outgoing.flush()
        assert wire.keys() == ["k1", "k2", "k3"], "there is no line"
        wire.outgoing.window = 32
        wire.outgoing.flush()
        assert wire.keys() == ["k1", "k2", "k3", "k1", "k3"]
        assert len({command["id"] for command in wire.sent}) == 5
        wire.answer("k1", 1, dup=True)
        wire.answer("k3", 3)
        assert [(await task)["dup"] for task in tasks] == [True, False, False]

    run(story())


def test_the_window_of_the_server_is_kept() -> None:
    async def story() -> None:
        wire = Wire(window=2)
        tasks = [await wire.start(key) for key in ("k1", "k2", "k3")]
        assert wire.keys() == ["k1", "k2"]
        wire.answer("k1")
        assert wire.keys() == ["k1", "k2", "k3"]
        for key in ("k2", "k3"):
            wire.answer(key)
        await asyncio.gather(*tasks)

    run(story())


def test_a_refused_send_fails_alone() -> None:
    async def story() -> None:
        wire = Wire()
        refused, fine = await wire.start("k1"), await wire.start("k2")
        wire.refuse("k1", "forbidden")
        wire.answer("k2")
        await fine
        with pytest.raises(CommandFailed, match="forbidden"):
            await refused

    run(story())


def test_what_is_too_fast_is_tried_again_when_told() -> None:
    async def story() -> None:
        wire = Wire()
        task = await wire.start("k1")
        wire.refuse("k1", "rate_limited", retryable=True, retry_after_ms=5_000)
        await asyncio.sleep(4.9)
        assert len(wire.sent) == 1
        await asyncio.sleep(0.2)
        assert wire.keys() == ["k1", "k1"]
        wire.answer("k1")
        await task

    run(story())


def test_who_gives_up_waiting_leaves_the_answer_to_the_session() -> None:
    async def story() -> None:
        wire = Wire()
        task = await wire.start("k1")
        task.cancel()
        await asyncio.wait((task,))
        body = {"conv": "c", "n": 1, "seq": 1, "ts": 1, "dup": False}
        command = wire.outgoing.on_answer({"op": "sent", "id": wire.sent[0]["id"], **body})
        assert command is not None
        assert command["key"] == "k1"
        wire.outgoing.on_offline()
        wire.outgoing.window = 32
        wire.outgoing.flush()
        assert len(wire.sent) == 1, "it is not sent again"

    run(story())


def test_the_same_key_twice_is_one_send() -> None:
    async def story() -> None:
        wire = Wire()
        tasks = [await wire.start("k1"), await wire.start("k1")]
        assert len(wire.sent) == 1
        wire.answer("k1", 3)
        assert [(await task)["n"] for task in tasks] == [3, 3]

    run(story())


def test_one_of_two_who_wait_for_the_same_send_may_give_up() -> None:
    async def story() -> None:
        wire = Wire()
        first, second = await wire.start("k1"), await wire.start("k1")
        first.cancel()
        await asyncio.wait((first,))
        wire.answer("k1", 3)
        assert (await second)["n"] == 3

    run(story())


def test_another_command_under_the_same_key_is_the_servers_to_judge() -> None:
    async def story() -> None:
        wire = Wire()
        tasks = [await wire.start("k1")]
        for op in ("recall", "outcome"):
            command = {"op": op, "key": "k1"}
            tasks.append(asyncio.create_task(wire.outgoing.ask(command)))
        await asyncio.sleep(0)
        assert [command["op"] for command in wire.sent] == ["send", "recall", "outcome"]
        for command in wire.sent:
            wire.outgoing.on_answer({"op": "ok", "id": command["id"]})
        await asyncio.gather(*tasks)

    run(story())


def test_a_question_without_an_answer_is_asked_again_on_the_next_line() -> None:
    async def story() -> None:
        wire = Wire()
        task = asyncio.create_task(wire.outgoing.ask({"op": "history", "conv": "c"}))
        await asyncio.sleep(0)
        wire.outgoing.on_offline()
        wire.outgoing.window = 32
        wire.outgoing.flush()
        assert [command["op"] for command in wire.sent] == ["history", "history"]
        wire.outgoing.on_answer({"op": "history", "id": wire.sent[1]["id"], "items": []})
        assert (await task)["items"] == []

    run(story())


def test_what_was_put_off_does_not_come_early_with_a_new_line() -> None:
    async def story() -> None:
        wire = Wire()
        tasks = [await wire.start("k1"), await wire.start("k2")]
        wire.refuse("k1", "unavailable", retryable=True, retry_after_ms=5_000)
        wire.outgoing.on_offline()
        wire.outgoing.window = 32
        wire.outgoing.flush()
        assert wire.keys() == ["k1", "k2", "k2"]
        await asyncio.sleep(5.1)
        assert wire.keys() == ["k1", "k2", "k2", "k1"]
        for key in ("k1", "k2"):
            wire.answer(key)
        await asyncio.gather(*tasks)

    run(story())


def test_other_commands_end_with_their_line() -> None:
    async def story() -> None:
        wire = Wire()
        call = asyncio.create_task(wire.outgoing.call({"op": "refresh", "token": "t"}))
        await asyncio.sleep(0)
        wire.outgoing.on_offline()
        with pytest.raises(Disconnected):
            await call

    run(story())


def test_the_end_fails_everybody() -> None:
    async def story() -> None:
        wire = Wire()
        task = await wire.start("k1")
        wire.outgoing.fail(Closed(4500, "bad token"))
        with pytest.raises(Closed, match="4500"):
            await task

    run(story())


def test_an_answer_nobody_waits_for_is_ignored() -> None:
    async def story() -> None:
        assert Wire().outgoing.on_answer({"op": "sent", "id": 99}) is None

    run(story())


def test_of_one_conversation_one_change_is_under_way() -> None:
    async def story() -> None:
        wire = Wire()
        tasks = [await wire.start(key, "user:b") for key in ("k1", "k2")]
        tasks.append(await wire.start("k3", "user:c"))
        assert wire.keys() == ["k1", "k3"]
        wire.refuse("k1", "rate_limited", retryable=True, retry_after_ms=1_000)
        assert wire.keys() == ["k1", "k3"], "what was said behind it waits"
        await asyncio.sleep(1.1)
        wire.answer("k1", 1)
        wire.answer("k2", 2)
        wire.answer("k3", 1)
        assert wire.keys() == ["k1", "k3", "k1", "k2"]
        await asyncio.gather(*tasks)

    run(story())


def test_states_are_told() -> None:
    async def story() -> None:
        wire = Wire()
        tasks = [await wire.start("k1"), await wire.start("k2")]
        wire.answer("k1")
        wire.refuse("k2", "forbidden")
        await asyncio.wait(tasks)
        assert wire.states() == ["k1 sending", "k2 sending", "k1 sent", "k2 failed"]
        assert [str(task.exception()) for task in tasks[1:]] == ["forbidden: "]

    run(story())


def test_a_change_goes_out_when_the_store_has_it_and_leaves_it_when_answered(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        with Store(tmp_path / "store") as store:
            wire = Wire(store=store)
            task = await wire.start("k1")
            assert wire.sent == [], "not on the disk yet"
            await wire.writer.idle()
            assert (wire.keys(), wire.states()) == (["k1"], ["k1 sending"])
            assert [row["key"] for row in store.read("outbox").values()] == ["k1"]
            wire.answer("k1")
            await task
            await wire.writer.idle()
            assert store.read("outbox") == {}

    asyncio.run(story())


def test_what_an_earlier_run_has_left_goes_out_first_whoever_waits(tmp_path: Path) -> None:
    async def story() -> None:
        with Store(tmp_path / "store") as store:
            first = Wire(window=0, store=store)
            tasks = [await first.start(key, "user:b") for key in ("k1", "k2")]
            await first.writer.idle()
            tasks[0].cancel()
            first.outgoing.fail(Closed(1000, ""))
            await asyncio.wait(tasks)
            assert isinstance(tasks[1].exception(), Closed)

            second = Wire(window=0, store=store)
            second.outgoing.restore(store.read("outbox"))
            assert [status.key for status in second.outgoing.pending()] == ["k1", "k2"]
            task = await second.start("k3", "user:b")
            await second.writer.idle()
            second.online()
            for key in ("k1", "k2", "k3"):
                second.answer(key)
            await task
            assert second.keys() == ["k1", "k2", "k3"]
            assert second.outgoing.pending() == []
            await second.writer.idle()
            assert store.read("outbox") == {}

    asyncio.run(story())


def test_what_is_on_no_line_can_be_given_up() -> None:
    async def story() -> None:
        wire = Wire(window=1)
        under_way, waiting = await wire.start("k1"), await wire.start("k2")
        assert not wire.outgoing.discard("k1")
        assert wire.outgoing.discard("k2")
        with pytest.raises(Discarded):
            await waiting
        wire.answer("k1")
        await under_way
        assert wire.keys() == ["k1"]

    run(story())
