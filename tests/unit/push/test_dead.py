from __future__ import annotations

import pytest

from hivewire.push import dead as module
from hivewire.push.dead import dead_letters, replay
from hivewire.push.transport import Outcome
from hivewire.store import pushes
from tests.unit.push.node import HOLD, PushNode

pytestmark = pytest.mark.unit


@pytest.fixture
def node() -> PushNode:
    made = PushNode()
    for user in ("bob", "cat"):
        made.register(user)
        made.say("ann", user, "one", "two")
    made.pass_time(HOLD)
    while made.jobs:
        made.ends(Outcome("dead", "HTTP 400"))
    return made


def test_letters_are_seen_in_order(node: PushNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_A_READ", 1)
    store = node.driver.store
    assert len(list(dead_letters(store))) == 4
    first, second = dead_letters(store, "bob")
    assert first.to_dict() == {
        "user": "bob",
        "device": "phone",
        "seq": 1,
        "type": "message",
        "conv": "direct:ann,bob",
        "n": 1,
        "attempts": 1,
        "sent": node.now_ms() - HOLD,
        "died": node.now_ms(),
        "error": "HTTP 400",
    }
    assert second.seq == 2
    assert list(dead_letters(store, "bo")) == []


def test_replayed_they_are_delivered_like_new_ones(
    node: PushNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LETTERS_A_GROUP", 2)
    store = node.driver.store
    assert replay(store, dead_letters(store), node.now_ms()) == 4
    assert node.outbox() == ["push"] * 4
    again = PushNode(store)
    again.dispatcher.found(["bob", "cat"])
    again.pass_time(HOLD)
    seen = [(job.user, job.seq) for job in iter(lambda: again.jobs and again.ends(), [])]
    assert sorted(seen) == [("bob", 1), ("bob", 2), ("cat", 1), ("cat", 2)]


def test_a_clear_that_was_given_up_says_so() -> None:
    assert set(module.WHAT) == {pushes.MESSAGE, pushes.CLEAR}
