"""Proof of the invariants on disk: what `hivewire verify` does while no node runs.

Reads each column family once in order of its keys, and looks up what the rows refer to. Memory
is bounded by the conversations of one user.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from hivewire.store import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hivewire.store import Column, Store

REPORTED_PROBLEMS = 100
"""Problems told one by one; the rest is counted."""
_ROWS_AT_A_TIME = 512
_from_json = msgspec.json.Decoder().decode


class Problem(NamedTuple):
    """One thing that cannot be true."""

    rule: str
    """Which invariant, in a word: `seq`, `n`, `reference`, `key`, `fan-out`, `cursor`, `row`."""
    where: str
    message: str


class Report:
    """What was looked at and what was wrong."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Rows read, by column family."""
        self.problems: list[Problem] = []
        """The first `REPORTED_PROBLEMS`."""
        self.problem_count = 0

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.problem_count

    def add(self, rule: str, where: str, message: str) -> None:
        """Note a problem."""
        self.problem_count += 1
        if len(self.problems) < REPORTED_PROBLEMS:
            self.problems.append(Problem(rule, where, message))


def verify(store: Store) -> Report:
    """Prove a store that nobody writes to.

    No place is missing or taken twice, no row refers to what is not there, and each message is in
    every member's timeline exactly once. A row that cannot be read is a problem too, and ends the
    look at its column family.
    """
    report = Report()
    for check in (_check_messages, _check_timelines, _check_members, _check_keys, _check_cursors):
        try:
            check(store, report)
        except (keys.RowError, msgspec.DecodeError, ValueError, KeyError, TypeError) as error:
            report.add("row", check.__name__.removeprefix("_check_"), f"unreadable: {error}")
    return report


def _check_messages(store: Store, report: Report) -> None:
    """I3 in conversations: `n` is 1, 2, 3 …; each body says where it is; its key row is there."""
    expected: tuple[str, int] = ("", 1)
    for key, value in _rows(store, store.columns.messages, report, "messages"):
        conv, n = keys.split_position(key)
        if conv != expected[0]:
            expected = (conv, 1)
            _check_conversation(store, report, conv)
        if n != expected[1]:
            report.add("n", conv, f"n {expected[1]} is missing: the next is {n}")
        expected = (conv, n + 1)
        body = _from_json(keys.message_body(value))
        if (body["conv"], body["n"]) != (conv, n):
            report.add("reference", conv, f"n {n} holds a message of {body['conv']} n {body['n']}")
        used = _key_row(store, body["from"], body["key"])
        if used is None or (used.conv, used.n, used.ts) != (conv, n, body["ts"]):
            report.add("key", conv, f"n {n}: the key row of {body['from']} {body['key']} differs")


def _check_conversation(store: Store, report: Report, conv: str) -> None:
    """A conversation has its record, and each member of a direct one knows of it."""
    columns = store.columns
    if store.get(columns.conversations, keys.prefix(conv)) is None:
        report.add("reference", conv, "there are messages but no conversation")
    for member in _direct_members(conv):
        if store.get(columns.members, keys.prefix(member) + conv.encode()) is None:
            report.add("fan-out", conv, f"{member} is not recorded as a member")


def _check_timelines(store: Store, report: Report) -> None:
    """I3 in timelines, and that each message is in each member's timeline exactly once."""
    timeline = _Timeline(store, report, "")
    for key, value in _rows(store, store.columns.timeline, report, "timeline"):
        user, seq = keys.split_position(key)
        if user != timeline.user:
            timeline.end()
            timeline = _Timeline(store, report, user)
        timeline.row(seq, keys.message_key_of(value))
    timeline.end()


class _Timeline:
    """The rows of one user, in order. Of each conversation the next row must be the next `n`.

    If the beginning was trimmed, a conversation may start anywhere.
    """

    def __init__(self, store: Store, report: Report, user: str) -> None:
        self._store = store
        self._report = report
        self.user = user
        self._floor = _floor(store, user)
        self._next_seq = self._floor
        self._last_n: dict[str, int] = {}

    def row(self, seq: int, message_key: bytes) -> None:
        """One row: its place, what it refers to, and whether it belongs here."""
        conv, n = keys.split_position(message_key)
        if seq != self._next_seq:
            self._problem("seq", f"seq {self._next_seq} is missing: the next is {seq}")
        self._next_seq = seq + 1
        if self._store.get(self._store.columns.messages, message_key) is None:
            self._problem("reference", f"seq {seq} refers to {conv} n {n}, which is not there")
        if self.user not in _direct_members(conv):
            self._problem("fan-out", f"seq {seq} is of {conv}: the user is no member")
        if self._floor == 1 or conv in self._last_n:
            expected = self._last_n.get(conv, 0) + 1
            if n != expected:
                self._problem("fan-out", f"seq {seq} is {conv} n {n}, where n {expected} is due")
        self._last_n[conv] = n

    def end(self) -> None:
        """Each conversation of the user is here up to its head, or was trimmed."""
        if not self.user:
            return
        for conv in _conversations_of(self._store, self.user):
            head = _head(self._store, conv)
            last = self._last_n.get(conv)
            if last != head and not (last is None and self._floor > 1):
                self._problem("fan-out", f"{conv} is here up to n {last or 0}, its head is {head}")

    def _problem(self, rule: str, message: str) -> None:
        self._report.add(rule, self.user, message)


def _check_members(store: Store, report: Report) -> None:
    """Who is a member of a conversation with messages has a timeline."""
    for key, value in _rows(store, store.columns.members, report, "members"):
        user, suffix = keys.split(key)
        keys.parse_small_value(value)
        conv = suffix.decode()
        if user not in _direct_members(conv):
            report.add("row", user, f"recorded as a member of {conv}")
        if not _head(store, conv):
            report.add("reference", user, f"a member of {conv}, which has no messages")
        if store.last(store.columns.timeline, keys.prefix(user)) is None and (
            _floor(store, user) == 1
        ):
            report.add("fan-out", user, f"a member of {conv}, but has no timeline")


def _check_keys(store: Store, report: Report) -> None:
    """I4: a key refers to the message it made, at the place that its answer told."""
    columns = store.columns
    for key, value in _rows(store, columns.keys, report, "keys"):
        user, suffix = keys.split(key)
        used = keys.parse_key_value(value)
        where = f"{user} {suffix.decode()}"
        message_key = keys.prefix(used.conv) + keys.position(used.n)
        message = store.get(columns.messages, message_key)
        if message is None:
            report.add("key", where, f"made {used.conv} n {used.n}, which is not there")
            continue
        body = _from_json(keys.message_body(message))
        if (body["from"], body["key"], body["ts"]) != (user, suffix.decode(), used.ts):
            report.add("key", where, f"made {used.conv} n {used.n}, which says otherwise")
        if used.seq >= _floor(store, user):
            row = store.get(columns.timeline, keys.prefix(user) + keys.position(used.seq))
            if row is None or keys.message_key_of(row) != message_key:
                report.add("key", where, f"was answered seq {used.seq}, which is something else")


def _check_cursors(store: Store, report: Report) -> None:
    """I6: no device is ahead of its user's timeline."""
    for key, value in _rows(store, store.columns.cursors, report, "cursors"):
        user, device = keys.split(key)
        cursor = keys.parse_cursor_value(value).cursor
        last = store.last(store.columns.timeline, keys.prefix(user))
        head = _floor(store, user) - 1 if last is None else keys.position_of(last[0])
        if cursor > head:
            report.add("cursor", f"{user} {device.decode()}", f"{cursor} is above the head, {head}")


def _rows(store: Store, column: Column, report: Report, name: str) -> Iterator[tuple[bytes, bytes]]:
    """All rows of a column family, a few at a time."""
    start = b""
    while rows := store.scan(column, start, None, _ROWS_AT_A_TIME):
        report.counts[name] += len(rows)
        yield from rows
        start = rows[-1][0] + b"\0"


def _key_row(store: Store, user: str, key: str) -> keys.KeyRow | None:
    value = store.get(store.columns.keys, keys.prefix(user) + key.encode())
    return None if value is None else keys.parse_key_value(value)


def _head(store: Store, conv: str) -> int:
    last = store.last(store.columns.messages, keys.prefix(conv))
    return 0 if last is None else keys.position_of(last[0])


def _floor(store: Store, user: str) -> int:
    value = store.get(store.columns.marks, keys.prefix(user))
    return 1 if value is None else keys.parse_floor_value(value)


def _conversations_of(store: Store, user: str) -> Iterator[str]:
    """The conversations a user is recorded in."""
    start = prefix = keys.prefix(user)
    while rows := store.scan(store.columns.members, start, keys.range_end(prefix), _ROWS_AT_A_TIME):
        for key, _ in rows:
            yield key[len(prefix) :].decode()
        start = rows[-1][0] + b"\0"


def _direct_members(conv: str) -> frozenset[str]:
    return frozenset(conv.removeprefix("direct:").split(","))
