from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from hivewire.config import load
from hivewire.push import pusher as module
from hivewire.push.pusher import Pusher
from hivewire.push.transport import Outcome
from tests.e2e.receiver import Receiver
from tests.unit.push.node import PushNode

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
SECRET = "s" * 32


class RealPusher(PushNode):
    """A node whose pushes really go out; the disk is quick."""

    def __init__(self, url: str, data: Path, **settings: Any) -> None:
        super().__init__()
        # Both clocks are the real one here.
        self.driver.clock.ms = time.time_ns() // 1_000_000
        push = {"webhooks": {"mobile": url}, "webhook_secret": SECRET, "hold": "0", **settings}
        self.pusher = Pusher(
            load(push=push, store={"path": data}),
            self.delivery,
            self.driver.metrics,
            loop=asyncio.get_running_loop(),
            act=self.act,
            devices=self.driver.engine.devices,
        )

    def act(self, work: Any) -> None:
        super().act(work)
        self.durable()


async def until(done: Any) -> None:
    async with asyncio.timeout(20):
        while not done():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)


async def test_a_push_goes_out_and_is_counted(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        node = RealPusher(receiver.url, tmp_path)
        node.register("bob")
        node.say("ann", "bob", "hi")
        await receiver.until(1)
        await until(lambda: node.driver.metrics.pushes)
        assert node.driver.metrics.pushes == {("webhook", "message", "ok"): 1}
        assert b'hivewire_pushes_total{kind="webhook",result="ok",type="message"} 1.0' in (
            node.driver.metrics.render()
        )
        await until(lambda: not node.pusher.figures()["users"])
        assert node.pusher.figures() == {"users": 0, "under_way": 0}
        await node.pusher.stop()


async def test_what_was_there_before_the_start_is_found_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hivewire.push.sweep.ROWS_A_STEP", 2)
    monkeypatch.setattr(module, "STEP_MS", 0)
    async with Receiver() as receiver:
        node = RealPusher(receiver.url, tmp_path)
        node.delivery.pushes = None
        for user in "bcdef":
            node.register(user)
            node.say("ann", user, "hi")
        node.delivery.pushes = node.pusher
        node.pusher.start()
        calls = await receiver.until(5)
        assert {call.json["user"] for call in calls} == set("bcdef")
        await node.pusher.stop()


async def test_dead_letters_are_seen_and_replayed_while_the_node_runs(tmp_path: Path) -> None:
    async with Receiver(400) as receiver:
        node = RealPusher(receiver.url, tmp_path)
        node.register("bob")
        node.say("ann", "bob", "hi")
        await until(lambda: node.pusher.dead(10))
        assert node.pusher.dead(10, "ann") == []
        letters = node.pusher.dead(10, "bob")
        assert [letter.dead.error for letter in letters] == ["HTTP 400"]
        node.pusher.replay(letters)
        await receiver.until(2)
        assert node.pusher.dead(10) == []
        await node.pusher.stop()


async def test_a_bug_of_ours_is_a_dead_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = RealPusher("http://127.0.0.1:9/", tmp_path)
    monkeypatch.setattr(node.pusher._requests, "of", lambda _job: 1 / 0)
    node.register("bob")
    with structlog.testing.capture_logs() as lines:
        node.say("ann", "bob", "hi")
        await until(lambda: node.pusher.dead(10))
    assert node.pusher.dead(10)[0].dead.error == "internal"
    failed, given_up = lines
    assert (given_up["event"], given_up["error"]) == ("a push was given up", "internal")
    for line in (failed, given_up):
        assert line["push"].endswith(":bob:phone:1:message")
        assert (line["user"], line["conv"], line["n"]) == ("bob", "direct:ann,bob", 1)
    await node.pusher.stop()


async def test_a_stop_leaves_what_is_under_way_for_the_next_start(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        receiver.silent = True
        node = RealPusher(receiver.url, tmp_path)
        node.register("bob")
        node.say("ann", "bob", "hi")
        await receiver.until(1)
        await node.pusher.stop()
        assert node.outbox() == ["push"]


async def test_browsers_are_offered_a_key(tmp_path: Path) -> None:
    node = RealPusher("https://a.example/", tmp_path)
    assert node.pusher.offer == {"webhooks": ["mobile"]}
    await node.pusher.stop()
    web = {"webpush": True, "webpush_contact": "mailto:a@b.example"}
    node = RealPusher("https://a.example/", tmp_path, **web)
    assert len(node.pusher.offer["webpush"]) == 87
    assert node.pusher.offer["webpush"].encode() in node.pusher.offer_json
    await node.pusher.stop()


def test_an_outcome_is_final_or_not() -> None:
    assert Outcome("ok") == ("ok", "", 0)
