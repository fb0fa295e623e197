"""A count says what is there, however it was made: of old counts, of chunks, or of the rows."""

from __future__ import annotations

from functools import partial
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core import events, unread
from hivewire.core.unread import CHUNK, Budget, OutOfBudget, Unread
from hivewire.store import StoreCorrupt, keys
from hivewire.store.memory import Memory

pytestmark = pytest.mark.unit
CONV = "group:tea"
PREFIX = keys.prefix(CONV)
USERS = ("ann", "bob", "cid")


class Counting(Memory):
    """Knows how many rows were read one after the other."""

    scanned = 0

    def scan(
        self, column: Any, start: bytes, end: bytes | None, limit: int
    ) -> list[tuple[bytes, bytes]]:
        found = super().scan(column, start, end, limit)
        self.scanned += len(found)
        return found


class Log:
    """A conversation that is written as the product writes it, and counted by hand."""

    def __init__(self, kept_events: int = 1_000_000) -> None:
        self.store = Counting()
        self.rows: list[dict[str, Any]] = []
        self.unread = Unread(self.store, kept_events)

    @property
    def head(self) -> int:
        return len(self.rows)

    def say(self, author: str, kind: str = "message") -> None:
        n = self.head + 1
        if kind == "message":
            message = events.Message(CONV, n, author, f"key-{n:05}", n, text=f"hi {n}")
            body = events.decode(events.encode(message))
        else:
            body = {"type": kind, "conv": CONV, "n": n, "from": author, "ts": n}
        self.rows.append(body)
        self._put(n, body)

    def recall(self, n: int) -> None:
        body = events.recalled(self.rows[n - 1], 1)
        self.rows[n - 1] = body
        self._put(n, body)
        self.unread.forget(CONV, n)

    def by_hand(self, user: str, first: int) -> int:
        return sum(
            body["type"] == "message" and "recalled" not in body and body["from"] != user
            for body in self.rows[max(first - 1, 0) :]
        )

    def count(self, user: str, first: int, rows: int = 2_000) -> int:
        """Count as a node does that lets others run in between."""
        work = partial(self.unread.count, CONV, user, first, self.head, Budget(rows))
        while True:
            try:
                return work()
            except OutOfBudget as more:
                work = more.work  # type: ignore[assignment]

    def _put(self, n: int, body: dict[str, Any]) -> None:
        batch = self.store.batch()
        value = keys.MESSAGE_VERSION + events.encode(body)
        batch.put(PREFIX + keys.position(n), value, self.store.columns.messages)
        self.store.write(batch)


AUTHORS = st.sampled_from(USERS)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.lists(AUTHORS, min_size=1, max_size=150)),
        st.tuples(st.just("other"), AUTHORS),
        st.tuples(st.just("recall"), st.integers(0, 10_000)),
        st.tuples(st.just("count"), st.tuples(AUTHORS, st.integers(0, 10_000))),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([1_000_000, 600, 1]), st.sampled_from([2_000, 100, 1]))
def test_unread_is_what_one_counts_by_hand(
    steps: list[tuple[str, Any]], kept: int, rows_a_turn: int
) -> None:
    log = Log(kept)
    for kind, what in steps:
        if kind == "say":
            for author in what:
                log.say(author)
        elif kind == "other":
            log.say(what, "membership")
        elif kind == "recall" and log.head:
            n = what % log.head + 1
            if log.rows[n - 1]["type"] == "message":
                log.recall(n)
        elif kind == "count":
            user, at = what
            first = at % (log.head + 1) + 1
            assert log.count(user, first, rows_a_turn) == log.by_hand(user, first)
    for user in USERS:
        assert log.count(user, 1, rows_a_turn) == log.by_hand(user, 1)


def long_log(messages: int) -> Log:
    log = Log()
    for number in range(messages):
        log.say(USERS[number % 3])
    return log


def test_a_count_is_extended_by_what_is_new_only() -> None:
    log = long_log(1_000)
    assert log.count("ann", 1) == 666
    log.say("bob")
    log.say("ann")
    log.store.scanned = 0
    assert log.count("ann", 1) == 667
    assert log.store.scanned == 2


def test_another_mark_and_another_user_need_no_read() -> None:
    log = long_log(1_000)
    log.count("ann", 1)
    log.store.scanned = 0
    assert log.count("ann", 500) == log.by_hand("ann", 500)
    assert log.count("bob", 3) == log.by_hand("bob", 3)
    assert log.store.scanned == 0


def test_a_recall_counts_at_once() -> None:
    log = long_log(600)
    assert log.count("ann", 1) == 400
    log.recall(2)
    assert log.count("ann", 1) == 399
    log.recall(1)
    assert log.count("ann", 1) == 399, "it was one's own"


def test_i8_no_turn_reads_much_more_than_its_budget() -> None:
    log = long_log(5_000)
    work = partial(log.unread.count, CONV, "ann", 1, 5_000)
    turns, done = 1, False
    while not done:
        log.store.scanned = 0
        try:
            assert work() == log.by_hand("ann", 1)
            done = True
        except OutOfBudget as more:
            work = more.work  # type: ignore[assignment]
            turns += 1
        assert log.store.scanned <= unread.ROWS_A_TURN + CHUNK
    assert turns == 3


def test_i8_what_is_kept_is_bounded() -> None:
    log = Log(kept_events=2 * CHUNK)
    for number in range(2_000):
        log.say(USERS[number % 3])
    with mock.patch.object(unread, "KEPT_COUNTS", 2):
        for user in USERS:
            assert log.count(user, 1) == log.by_hand(user, 1)
    assert len(log.unread._chunks) <= 2
    assert len(log.unread._counts) <= 2


def test_nothing_above_the_head_is_unread() -> None:
    log = long_log(3)
    assert log.count("ann", 4) == 0


def test_a_hole_is_no_smaller_count() -> None:
    log = long_log(3)
    batch = log.store.batch()
    batch.delete(PREFIX + keys.position(2), log.store.columns.messages)
    log.store.write(batch)
    with pytest.raises(StoreCorrupt, match="group:tea lacks a row"):
        log.count("ann", 1)
