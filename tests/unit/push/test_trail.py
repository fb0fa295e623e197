from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivewire.push.trail import NOTES, Trail, story
from hivewire.push.transport import Outcome
from tests.unit.push.node import HOLD, PushNode

if TYPE_CHECKING:
    from hivewire.push.trail import Note

pytestmark = pytest.mark.unit
FAILED = Outcome("retry", "HTTP 500")


@pytest.fixture
def node() -> PushNode:
    made = PushNode()
    made.register("bob")
    return made


def told(node: PushNode, seq: int = 1) -> list[Note]:
    """The story of bob's pushes for a place in his timeline."""
    found = story(node.driver.store, node.dispatcher.trail, {"bob": seq, "cat": 1})
    assert set(found) <= {"bob"}
    return found.get("bob", [])


def steps(node: PushNode, seq: int = 1) -> list[str]:
    return [note.step for note in told(node, seq)]


def test_the_way_of_a_push_in_order_of_time(node: PushNode) -> None:
    node.say("ann", "bob", "one")
    assert steps(node) == ["held"]
    node.pass_time(HOLD)
    assert steps(node) == ["held", "due", "sent"], "its row says nothing more while it is under way"
    node.pass_time(7)
    node.ends(FAILED)
    assert steps(node) == ["held", "due", "sent", "failed", "waiting"]
    due = told(node)[-1]
    assert (due.device, due.said, due.at) == ("phone", "1 failed", node.now_ms() + 1000)
    node.pass_time(1000)
    node.ends(Outcome("ok", "HTTP 204"))
    found = told(node)
    assert [note.step for note in found[-2:]] == ["sent", "delivered"]
    assert (found[-2].said, found[-1].said) == ("mobile", "HTTP 204")
    times = [note.at for note in found[1:]]
    assert times == sorted(time for time in times if time is not None)


def test_what_a_device_acknowledges_is_cancelled(node: PushNode) -> None:
    line = node.driver.open("bob", "desk")
    node.say("ann", "bob", "hi")
    line.says("ack", seq=1)
    node.driver.settle()
    node.delivery.cursors()
    node.durable()
    node.pass_time(HOLD)
    assert steps(node) == ["held", "cancelled"]


def test_what_is_given_up_is_told_once_and_of_the_store_when_it_is_forgotten() -> None:
    node = PushNode(attempts=1)
    node.register("bob")
    node.say("ann", "bob", "one")
    node.pass_time(HOLD)
    node.ends(FAILED)
    assert steps(node) == ["held", "due", "sent", "gave up"]
    node.dispatcher.trail = Trail()
    assert steps(node) == ["held", "gave up"]
    assert told(node)[-1].said == "HTTP 500"
    assert told(node, seq=2) == []


def test_what_is_taken_back_has_steps_of_its_own(node: PushNode) -> None:
    node.say("ann", "bob", "one")
    node.pass_time(HOLD)
    node.ends()
    line = node.driver.open("bob", "desk")
    line.says("read", conv="direct:ann,bob", n=1)
    node.driver.settle()
    node.delivery.marks()
    node.durable()
    node.pass_time(0)
    node.ends()
    assert steps(node)[-2:] == ["clear sent", "clear delivered"]


def test_another_trail_goes_on_with_these_steps(node: PushNode) -> None:
    node.say("ann", "bob", "one")
    node.pass_time(HOLD)
    before, rows = told(node), node.dispatcher.trail.hand_over()
    assert {type(row) for row in rows} == {tuple}
    node.dispatcher.trail = Trail()
    node.dispatcher.trail.take_over(rows)
    assert told(node) == before
    node.ends()
    assert steps(node) == ["held", "due", "sent", "delivered"]


def test_i8_the_steps_that_are_remembered_have_a_bound() -> None:
    trail = Trail()
    for at in range(NOTES + 5):
        trail.note(at, "bob", at, "", "sent", "")
    assert trail.of({"bob": 4}) == {}
    assert trail.of({"bob": 5})["bob"][0].at == 5
