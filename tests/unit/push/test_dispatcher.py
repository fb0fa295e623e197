from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivewire.push.dispatcher import host_of, registrations_of
from hivewire.push.outlook import HERE_MS, Job
from hivewire.push.transport import Outcome
from hivewire.store import pushes
from hivewire.store.pushes import MESSAGE, Push
from hivewire.store.verify import verify
from tests.unit.push.node import HOLD, PushNode, webhook, webpush

if TYPE_CHECKING:
    from tests.unit.handlers.driver import Line

pytestmark = pytest.mark.unit
FAILED = Outcome("retry", "HTTP 500")


@pytest.fixture
def node() -> PushNode:
    made = PushNode()
    made.register("bob")
    return made


def test_a_message_is_pushed_after_a_moment(node: PushNode) -> None:
    node.say("ann", "bob", "hi")
    assert node.outbox() == ["held"]
    node.pass_time(HOLD - 1)
    assert node.jobs == []
    node.pass_time(1)
    assert node.texts() == ["phone 1"]
    node.ends()
    assert node.outbox() == ["shown"]
    assert node.dispatcher.users == 0
    assert verify(node.driver.store).ok


def test_nobody_is_held_for_a_user_without_devices(node: PushNode) -> None:
    node.say("ann", "cat", "hi")
    node.say("bob", "ann", "hi")
    assert node.outbox() == []
    assert node.dispatcher.users == 0


def test_an_ack_makes_it_needless(node: PushNode) -> None:
    line = node.driver.open("bob", "desk")
    node.say("ann", "bob", "hi")
    line.says("ack", seq=1)
    node.driver.settle()
    node.delivery.cursors()
    node.durable()
    node.pass_time(HOLD)
    assert node.jobs == []
    assert node.outbox() == []
    assert node.dispatcher.users == 0


def test_who_is_here_is_looked_at_now_and_then_and_pushed_to_when_the_line_is_lost(
    node: PushNode,
) -> None:
    line = node.driver.open("bob", "desk")
    node.say("ann", "bob", "hi")
    node.pass_time(HOLD + 2 * HERE_MS)
    assert node.jobs == []
    del node.driver.engine.sessions[line.conn]
    node.dispatcher.parted("bob")
    node.pass_time(HOLD - 1)
    assert node.jobs == []
    node.pass_time(1)
    assert node.texts() == ["phone 1"]


def test_pushes_for_a_device_come_one_after_the_other_in_order(node: PushNode) -> None:
    node.say("ann", "bob", "one", "two", "three")
    node.pass_time(HOLD)
    seen: list[int] = []
    while node.jobs:
        assert len(node.jobs) == 1
        seen.append(node.ends().push.n)
    assert seen == [1, 2, 3]


def test_a_failure_is_tried_again_later_and_later_and_holds_back_what_follows(
    node: PushNode,
) -> None:
    node.say("ann", "bob", "one", "two")
    node.pass_time(HOLD)
    for wait in (1000, 2000, 4000):
        assert node.ends(FAILED).push.n == 1
        node.pass_time(wait - 1)
        assert node.jobs == []
        node.pass_time(1)
        assert node.texts() == ["phone 1"]
    node.ends()
    assert node.texts() == ["phone 2"]


def test_a_receiver_says_when_to_come_again(node: PushNode) -> None:
    node.say("ann", "bob", "one")
    node.pass_time(HOLD)
    node.ends(Outcome("retry", "HTTP 429", 60_000))
    node.pass_time(59_999)
    assert node.jobs == []
    node.pass_time(1)
    assert node.texts() == ["phone 1"]


@pytest.mark.parametrize("outcome", [FAILED, Outcome("dead", "HTTP 400")])
def test_what_is_given_up_is_a_dead_letter_and_the_next_one_goes_on(outcome: Outcome) -> None:
    node = PushNode(attempts=1)
    node.register("bob")
    node.say("ann", "bob", "one", "two")
    node.pass_time(HOLD)
    node.ends(outcome)
    assert node.texts() == ["phone 2"]
    node.ends()
    assert node.outbox() == ["dead", "shown"]
    assert verify(node.driver.store).ok


def test_a_device_that_is_gone_is_forgotten_with_all_that_waits_for_it(node: PushNode) -> None:
    node.register("bob", "web", webpush())
    node.say("ann", "bob", "one", "two")
    node.pass_time(HOLD)
    assert sorted(node.texts()) == ["phone 1", "web 1"]
    node.jobs.sort(key=lambda job: job.device != "web")
    node.ends(Outcome("gone", "HTTP 410"))
    node.ends()
    assert node.texts() == ["phone 2"]
    assert list(registrations_of(node.delivery, "bob")) == ["phone"]
    assert verify(node.driver.store).ok


def test_one_device_does_not_wait_for_another_ones_push_service(node: PushNode) -> None:
    node.register("bob", "web", webpush())
    node.say("ann", "bob", "one", "two")
    node.pass_time(HOLD)
    node.jobs.sort(key=lambda job: job.device)
    node.ends()
    assert sorted(node.texts()) == ["phone 2", "web 1"]


def test_webhooks_of_one_user_go_out_one_at_a_time(node: PushNode) -> None:
    node.register("bob", "tablet", webhook("other"))
    node.say("ann", "bob", "one", "two")
    node.pass_time(HOLD)
    seen: list[str] = []
    while node.jobs:
        assert len(node.jobs) == 1
        seen += node.texts()
        node.ends()
    assert seen == ["phone 1", "tablet 1", "phone 2", "tablet 2"]


def test_i8_a_host_gets_no_more_requests_than_it_may() -> None:
    node = PushNode(concurrency=2)
    for user in "bcdef":
        node.register(user)
        node.say("ann", user, "hi")
    node.pass_time(HOLD)
    seen: list[str] = []
    while node.jobs:
        assert len(node.jobs) <= 2
        seen.append(node.ends().user)
    assert sorted(seen) == list("bcdef")


def test_a_slot_that_its_user_no_longer_needs_goes_to_the_next() -> None:
    node = PushNode(concurrency=1)
    for user in "bcd":
        node.register(user)
        node.say("ann", user, "hi")
    node.pass_time(HOLD)
    assert node.texts() == ["phone 1"]
    line = node.driver.open("c", "desk")
    line.says("read", conv="direct:ann,c", n=1)
    node.driver.settle()
    assert [node.ends().user, node.ends().user] == ["b", "d"]
    assert node.jobs == []
    assert node.outbox() == ["shown", "shown"]
    assert node.dispatcher.users == 0


def test_rows_of_one_user_that_cannot_be_read_do_not_stop_the_others(node: PushNode) -> None:
    node.register("cat")
    node.say("ann", "bob", "hi")
    node.say("ann", "cat", "hi")
    node.driver.store.columns.outbox.put(pushes.held_key("bob", 1), b"\x09")
    node.pass_time(HOLD)
    assert [job.user for job in node.jobs] == ["cat"]


def test_i8_users_for_whom_there_is_no_room_are_found_later() -> None:
    node = PushNode(waiting=100)
    node.register("bob")
    node.register("cat")
    for number in range(100):
        node.dispatcher.wake(f"u{number}", node.now_ms() + HOLD + 1)
    node.say("ann", "bob", "hi")
    assert node.dispatcher.overlooked
    node.pass_time(HOLD + 1)
    # Three turns, a few users in each: none of them had anything.
    assert node.dispatcher.users == 0
    assert node.jobs == []
    node.dispatcher.found(["bob"])
    node.pass_time(HOLD)
    assert node.texts() == ["phone 1"]


def test_what_was_shown_is_taken_back_when_it_is_read_elsewhere(node: PushNode) -> None:
    node.register("bob", "desk", webhook("d"))
    node.say("ann", "bob", "hi")
    node.pass_time(HOLD)
    node.ends()
    node.ends()
    desk = node.driver.open("bob", "desk")
    desk.says("read", conv="direct:ann,bob", n=1)
    node.driver.settle()
    node.pass_time(0)
    assert node.texts() == ["phone -1"]
    node.ends()
    assert node.outbox() == []


def test_what_is_read_while_its_push_is_under_way_is_taken_back_after_it(node: PushNode) -> None:
    node.say("ann", "bob", "hi")
    node.pass_time(HOLD)
    desk = node.driver.open("bob", "desk")
    desk.says("read", conv="direct:ann,bob", n=1)
    node.driver.settle()
    assert node.texts() == ["phone 1"]
    node.ends()
    assert node.texts() == ["phone -1"]


def test_i12_a_power_cut_at_any_commit_loses_no_push() -> None:
    for commits in range(12):
        node = PushNode()
        node.register("bob")
        node.say("ann", "bob", "one", "two")
        node.driver.later(HOLD)
        for _ in range(commits):
            if not node.driver.committer.step():
                break
            node.driver.later(0)
        node.driver.store.crash()
        again = PushNode(node.driver.store)
        again.dispatcher.found(["bob"])
        again.pass_time(HOLD)
        seen: list[int] = []
        while again.jobs:
            seen.append(again.ends().push.n)
        assert seen == [1, 2], commits


def test_what_nobody_wants_any_more_expires() -> None:
    node = PushNode(expires="1h")
    node.register("bob")
    node.say("ann", "bob", "one")
    node.pass_time(HOLD)
    node.ends(Outcome("retry", "HTTP 503", 3_600_000))
    node.pass_time(3_600_000)
    assert node.jobs == []
    assert node.outbox() == ["dead"]


def test_what_is_on_its_way_to_the_disk_is_not_delivered_again(node: PushNode) -> None:
    node.say("ann", "bob", "hi")
    node.pass_time(HOLD)
    job = node.jobs.pop()
    # A commit is under way, so what comes now is not even written yet.
    node.driver.open("cat").sends("dan")
    node.driver.turn()
    node.act(lambda: node.dispatcher.settled(job, Outcome("ok")))
    node.act(lambda: node.dispatcher.released(job))
    node.dispatcher.wake("bob", node.now_ms())
    node.pass_time(0)
    assert node.jobs == []
    assert node.outbox() == ["shown"]


def test_while_the_disk_is_behind_nothing_is_begun(
    node: PushNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.say("ann", "bob", "one")
    with monkeypatch.context() as patch:
        patch.setattr(type(node.delivery.journal), "is_full", True)
        node.pass_time(HOLD + 500)
        assert node.jobs == []
    node.pass_time(100)
    assert node.texts() == ["phone 1"]


def test_a_dispatcher_that_stopped_looks_at_nobody(node: PushNode) -> None:
    node.say("ann", "bob", "one")
    node.dispatcher.stop()
    node.pass_time(HOLD)
    assert node.jobs == []


def test_a_host_is_a_webhooks_name_or_that_of_the_push_service() -> None:
    push = Push(MESSAGE, 0, 1, 1, "direct:ann,bob", 1)
    assert host_of(Job("bob", "phone", 1, push, webhook())) == "mobile"
    assert host_of(Job("bob", "web", 1, push, webpush("h:8443"))) == "h:8443"


STEPS = ["say", "wait", "end", "fail", "come", "go", "ack", "read", "crash"]


class Fate:
    """What happens to bob, whose phone is away: messages, acks, failures, power cuts."""

    def __init__(self) -> None:
        self.node = PushNode(attempts=1000)
        self.node.register("bob")
        self.line: Line | None = None
        self.sent = self.known = 0
        self.pushed: list[int] = []
        # A new device begins at the head: what was before would be known to him.
        self._come()
        self._go()

    def do(self, step: str) -> None:
        getattr(self, f"_{step}")()

    def _say(self) -> None:
        self.sent += 1
        self.node.say("ann", "bob", str(self.sent))

    def _wait(self) -> None:
        self.node.pass_time(HOLD)

    def _end(self) -> None:
        if self.node.jobs:
            job = self.node.ends()
            if job.push.what == MESSAGE:
                self.pushed.append(job.push.n)

    def _fail(self) -> None:
        if self.node.jobs:
            self.node.ends(FAILED)

    def _come(self) -> None:
        if self.line is None:
            self.line = self.node.driver.open("bob", "desk")

    def _go(self) -> None:
        if self.line is not None:
            del self.node.driver.engine.sessions[self.line.conn]
            self.node.dispatcher.parted("bob")
            self.line = None

    def _ack(self) -> None:
        if self.line is not None and self.sent:
            self.line.says("ack", seq=self.sent)
            self.node.driver.settle()
            self.node.delivery.cursors()
            self.node.durable()
            self.known = self.sent

    def _read(self) -> None:
        if self.line is not None and self.sent:
            self.line.says("read", conv="direct:ann,bob", n=self.sent)
            self.node.driver.settle()
            self.known = self.sent

    def _crash(self) -> None:
        self.node.driver.later(HOLD)
        self.node.driver.store.crash()
        clock = self.node.driver.clock
        self.node, self.line = PushNode(self.node.driver.store, attempts=1000), None
        self.node.driver.clock.ms = clock.ms
        self.node.dispatcher.found(["bob"])

    def finish(self) -> None:
        """Everybody goes, every request succeeds, and time passes."""
        self._go()
        for _ in range(200):
            self._wait()
            self._end()


@settings(max_examples=60)
@given(st.lists(st.sampled_from(STEPS), max_size=30))
def test_whatever_happens_each_message_is_known_or_pushed_and_in_order(steps: list[str]) -> None:
    fate = Fate()
    for step in steps:
        fate.do(step)
    fate.finish()
    firsts = list(dict.fromkeys(fate.pushed))
    assert firsts == sorted(firsts)
    assert set(range(fate.known + 1, fate.sent + 1)) <= set(firsts)
    assert set(fate.node.outbox()) <= {"shown"}
    assert fate.node.dispatcher.users == 0
    assert verify(fate.node.driver.store).ok
