from __future__ import annotations

import pytest

from hivewire.core.apply_push import apply_outbox
from hivewire.push import sweep as module
from hivewire.push.sweep import sweep
from hivewire.push.transport import Outcome
from tests.unit.push.node import HOLD, PushNode

pytestmark = pytest.mark.unit
DAY = 24 * 3600 * 1000


def test_who_has_something_is_found_and_what_is_old_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_A_STEP", 2)
    node = PushNode()
    for user in ("bob", "cat", "dan"):
        node.register(user)
    node.say("ann", "bob", "shown", "given up")
    node.pass_time(HOLD)
    node.ends()
    node.ends(Outcome("dead", "HTTP 400"))
    node.say("ann", "cat", "hi", "ho")
    node.say("ann", "dan", "hi")
    assert node.outbox() == ["dead", "held", "held", "held", "shown"]
    store, users, start = node.driver.store, list[str](), b""
    while start is not None:
        step = sweep(store, start, node.now_ms() + 7 * DAY, 7 * DAY)
        users += step.users
        if step.entry is not None:
            batch = store.batch()
            apply_outbox(step.entry, store, batch)
            store.write(batch)
        start = step.following
    assert set(users) == {"cat", "dan"}
    assert node.outbox() == ["held", "held", "held"]


def test_what_is_not_old_stays() -> None:
    node = PushNode()
    node.register("bob")
    node.say("ann", "bob", "hi")
    node.pass_time(HOLD)
    node.ends()
    assert sweep(node.driver.store, b"", node.now_ms() + DAY, 7 * DAY) == ({}, None, None)
