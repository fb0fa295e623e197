from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivewire.core.apply import apply_send
from hivewire.core.commands import Send
from hivewire.core.entries import SendEntry
from hivewire.core.plan import plan_send
from hivewire.core.view import View
from hivewire.store import Store, keys
from hivewire.store.memory import Memory
from hivewire.store.rocks import Rocks
from hivewire.store.verify import REPORTED_PROBLEMS, Report, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TS = 1_700_000_000_000
SENDS = [
    ("ann", "bob"),
    ("bob", "ann"),
    ("ann", "ann"),
    ("cat", "bob"),
    ("ann", "bob"),
    ("bob", "cat"),
]


def talk(store: Store) -> None:
    """A few messages, and where each one's phone is."""
    view, batch = View(store), store.batch()
    for number, (user, other) in enumerate(SENDS):
        command = Send(1, f"user:{other}", f"key-{number:04}", "hi")
        entry = plan_send(command, user, "phone", view, TS + number)
        assert isinstance(entry, SendEntry)
        apply_send(entry, view, batch.put, store.columns)
    for user in ("ann", "bob", "cat"):
        batch.put(keys.prefix(user) + b"phone", keys.cursor_value(2, TS), store.columns.cursors)
    store.write(batch)
    store.sync()


def rules(report: Report) -> set[str]:
    return {problem.rule for problem in report.problems}


def test_what_was_written_is_right(tmp_path: Path) -> None:
    for store in (Memory(), Rocks.open(tmp_path)):
        talk(store)
        report = verify(store)
        assert report.ok, report.problems
        assert report.counts == {
            "messages": 6,
            "timeline": 11,
            "members": 5,
            "keys": 6,
            "cursors": 3,
        }
        store.close()


def test_an_empty_store_is_right() -> None:
    assert verify(Memory()).ok


def _at(name: str, number: int) -> bytes:
    return keys.prefix(name) + keys.position(number)


def _reference(conv: str, n: int) -> bytes:
    return keys.MESSAGE_REFERENCE + _at(conv, n)


def _drop(store: Memory, column: str, key: bytes) -> None:
    getattr(store.columns, column).delete_range(key, key + b"\0")


DAMAGE: dict[str, tuple[Callable[[Memory], None], str]] = {
    "I3 a hole in a timeline": (lambda s: _drop(s, "timeline", _at("ann", 2)), "seq"),
    "I3 the end of a timeline": (lambda s: _drop(s, "timeline", _at("ann", 4)), "fan-out"),
    "I3 a hole in a conversation": (lambda s: _drop(s, "messages", _at("direct:ann,bob", 2)), "n"),
    "a reference to nothing": (
        lambda s: _drop(s, "messages", _at("direct:ann,bob", 3)),
        "reference",
    ),
    "I4 a forgotten key": (lambda s: _drop(s, "keys", keys.prefix("ann") + b"key-0000"), "key"),
    "a forgotten membership": (
        lambda s: _drop(s, "members", keys.prefix("ann") + b"direct:ann,bob"),
        "fan-out",
    ),
    "a forgotten conversation": (
        lambda s: _drop(s, "conversations", keys.prefix("direct:ann,bob")),
        "reference",
    ),
    "I4 a message twice": (
        lambda s: s.columns.timeline.put(_at("ann", 5), _reference("direct:ann,bob", 3)),
        "fan-out",
    ),
    "someone else's message": (
        lambda s: s.columns.timeline.put(_at("ann", 5), _reference("direct:bob,cat", 1)),
        "fan-out",
    ),
    "I5 another order": (
        lambda s: s.columns.timeline.put(_at("ann", 2), _reference("direct:ann,bob", 3)),
        "fan-out",
    ),
    "I4 a key of nothing": (
        lambda s: s.columns.keys.put(
            keys.prefix("ann") + b"key-none", keys.key_value(bytes(16), 9, 9, TS, "direct:ann,bob")
        ),
        "key",
    ),
    "I4 a key of another message": (
        lambda s: s.columns.keys.put(
            keys.prefix("ann") + b"key-0000", keys.key_value(bytes(16), 2, 1, TS, "direct:ann,bob")
        ),
        "key",
    ),
    "I6 a cursor above the head": (
        lambda s: s.columns.cursors.put(keys.prefix("ann") + b"phone", keys.cursor_value(5, TS)),
        "cursor",
    ),
    "a row of another version": (
        lambda s: s.columns.cursors.put(keys.prefix("ann") + b"x", b"\x09"),
        "row",
    ),
    "a body that is not JSON": (
        lambda s: s.columns.messages.put(_at("direct:ann,bob", 3), b"\x01{"),
        "row",
    ),
    "a body from elsewhere": (
        lambda s: s.columns.messages.put(
            _at("direct:ann,bob", 3),
            s.columns.messages.rows[_at("direct:ann,bob", 2)],
        ),
        "reference",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found(damage: str) -> None:
    store = Memory()
    talk(store)
    inflict, rule = DAMAGE[damage]
    inflict(store)
    report = verify(store)
    assert not report.ok
    assert rule in rules(report), report.problems


def test_a_trimmed_timeline_is_right() -> None:
    store = Memory()
    talk(store)
    batch, prefix = store.batch(), keys.prefix("ann")
    batch.put(prefix, keys.floor_value(3), store.columns.marks)
    batch.delete_range(prefix, _at("ann", 3), store.columns.timeline)
    store.write(batch)
    report = verify(store)
    assert report.ok, report.problems


def test_I8_problems_told_are_bounded_and_all_are_counted() -> None:
    report = Report()
    for number in range(REPORTED_PROBLEMS + 5):
        report.add("seq", "ann", str(number))
    assert (len(report.problems), report.problem_count) == (
        REPORTED_PROBLEMS,
        REPORTED_PROBLEMS + 5,
    )
