from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivewire.store import keys, timelines
from hivewire.store.verify import verify
from tests.unit.core.driver import Driver

from .life import Damage, at, broken, drop

if TYPE_CHECKING:
    from hivewire.store.memory import Memory


def reference(conv: str, n: int, kind: int = keys.TYPE_MESSAGE) -> bytes:
    return timelines.pack_run([timelines.pack_reference(kind, at(conv, n))])


def put(store: Memory, user: str, seq: int, value: bytes) -> None:
    store.columns.timeline.put(at(user, seq), value)


def append(store: Memory, user: str, value: bytes) -> None:
    """One row more at the end of a timeline."""
    last = store.last(store.columns.timeline, keys.prefix(user))
    put(store, user, 1 if last is None else timelines.end_of(last) + 1, value)


def cut(store: Memory, user: str) -> None:
    """Lose the last row of a timeline."""
    last = store.last(store.columns.timeline, keys.prefix(user))
    assert last is not None
    drop(store, "timeline", last[0])


DAMAGE: dict[str, Damage] = {
    "I3 a hole in a timeline": (lambda s: drop(s, "timeline", at("ann", 2)), "seq"),
    "I3 the end of a timeline": (lambda s: cut(s, "ann"), "fan-out"),
    "I3 the farewell of one who left": (lambda s: cut(s, "d"), "fan-out"),
    "I3 what a channel said of itself": (lambda s: cut(s, "e"), "fan-out"),
    "a reference to nothing": (lambda s: append(s, "ann", reference("group:g", 99)), "reference"),
    "a reference of another type": (
        lambda s: put(s, "ann", 3, reference("group:g", 3, keys.TYPE_EDIT)),
        "reference",
    ),
    "I4 a message twice": (lambda s: append(s, "ann", reference("direct:ann,bob", 1)), "fan-out"),
    "someone else's direct message": (
        lambda s: append(s, "cat", reference("direct:ann,bob", 1)),
        "fan-out",
    ),
    "a message of a group that one never was in": (
        lambda s: append(s, "zoe", reference("group:g", 3)),
        "fan-out",
    ),
    "a message of a group that one has left": (
        lambda s: append(s, "ann", reference("group:g", 16)),
        "fan-out",
    ),
    "a message of a channel": (lambda s: append(s, "cat", reference("channel:c", 3)), "fan-out"),
    "I5 another order": (lambda s: put(s, "ann", 3, reference("group:g", 4)), "fan-out"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_timelines_is_found(damage: str) -> None:
    assert DAMAGE[damage][1] in broken(DAMAGE[damage])


def test_I3_who_was_removed_and_still_got_a_message_is_found() -> None:
    driver = Driver()
    driver.create("ann", "bob")
    driver.remove("ann", "group:g", "bob")
    driver.send("ann", "group:g")
    driver.settle()
    assert verify(driver.store).ok
    append(driver.store, "bob", reference("group:g", 4))
    assert {problem.where for problem in verify(driver.store).problems} == {"bob"}


def test_I3_a_member_who_was_left_out_is_found() -> None:
    driver = Driver()
    driver.create("ann", "bob", "cat")
    driver.send("ann", "group:g")
    driver.settle()
    cut(driver.store, "cat")
    problems = verify(driver.store).problems
    assert {(problem.rule, problem.where) for problem in problems} == {("fan-out", "cat")}


def test_what_events_say_of_a_role_is_what_the_row_says() -> None:
    driver = Driver()
    driver.create("ann", "bob", kind="channel")
    driver.update("ann", "channel:g", user="bob", role="admin")
    driver.settle()
    cut(driver.store, "bob")
    assert not verify(driver.store).ok
