from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivewire.push.transport import Outcome
from hivewire.store import keys, pushes
from hivewire.store.verify import verify
from tests.unit.push.node import HOLD, PushNode, webhook

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.store.memory import Memory

pytestmark = pytest.mark.unit
CONV = "direct:ann,bob"


def lived() -> Memory:
    """A store with a row of each kind; of bob's timeline 1 was shown, 2 given up, 3 is held."""
    node = PushNode()
    node.register("bob")
    node.register("bob", "desk", webhook("d"))
    node.say("ann", "bob", "one", "two")
    node.pass_time(HOLD)
    for outcome in ("ok", "ok", "dead", "retry"):
        node.ends(Outcome(outcome))
    node.say("ann", "bob", "three")
    assert set(node.outbox()) == {"dead", "held", "push", "shown"}
    return node.driver.store


def held(n: int) -> bytes:
    return pushes.held_value(1, keys.prefix(CONV) + keys.position(n))


def outbox(key: bytes, value: bytes) -> Callable[[Memory], None]:
    return lambda store: store.columns.outbox.put(key, value)


DAMAGE: dict[str, tuple[Callable[[Memory], None], str]] = {
    "a push of nothing": (outbox(pushes.held_key("bob", 3), held(9)), "reference"),
    "a push above the head": (outbox(pushes.held_key("bob", 9), held(3)), "push"),
    "a push of something else": (outbox(pushes.held_key("bob", 3), held(2)), "push"),
    "shown what there is not": (
        outbox(pushes.shown_key("bob", CONV, "x"), pushes.shown_value(pushes.Shown(9, 1, 1))),
        "reference",
    ),
    "a row that is none": (outbox(keys.prefix("bob") + b"x", b""), "row"),
    "a registration that nobody counted": (
        lambda s: s.columns.devices.put(
            pushes.registration_key("cat", "phone"), pushes.registration_value(webhook())
        ),
        "push",
    ),
    "a registration that is lost": (
        lambda s: s.columns.devices.delete_range(*pushes.registered_range("bob")),
        "push",
    ),
    "a registration of an unknown kind": (
        lambda s: s.columns.devices.put(
            pushes.registration_key("bob", "phone"),
            pushes.registration_value(pushes.Registration("pigeon", "x", 1)),
        ),
        "push",
    ),
}


def test_what_a_node_writes_is_right() -> None:
    report = verify(lived())
    assert report.ok, report.problems
    assert report.counts["outbox"] == 5
    assert report.counts["devices"] == 2


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_found(what: str) -> None:
    damage, rule = DAMAGE[what]
    store = lived()
    damage(store)
    assert {problem.rule for problem in verify(store).problems} == {rule}
