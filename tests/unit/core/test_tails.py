"""Whatever happens, a tail says what the store says, up to the durable head and not beyond."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.log import Log, events_at
from hivewire.core.tails import TAIL_EVENTS, Tails
from hivewire.store import keys
from tests.unit.handlers.driver import Driver, Line

pytestmark = pytest.mark.unit
DIRECT = "direct:ann,bob"


class Watched:
    """A node whose tails are held against the store at each read."""

    def __init__(self, bound: int | None = None) -> None:
        self.driver = Driver(limits={"queries_per_second": 0, "sends_per_second": 0})
        self.view = self.driver.view
        if bound is not None:
            self.view.tails._bound = bound
        self.reads = 0
        self._read = self.view.tails.read
        self.patch = mock.patch.object(self.view.tails, "read", self._compare)
        self.patch.start()
        self.lines = [self.driver.open("ann"), self.driver.open("bob")]

    def _compare(self, log: Log, first: int, last: int) -> list[bytes]:
        found = self._read(log, first, last)
        self.reads += 1
        assert found == events_at(self.driver.store, log.prefix, first, last)
        # What is read is durable: a power cut would take none of it.
        messages = self.driver.store.columns.messages
        assert messages.rows == messages.synced.rows
        assert self.view.tails.size == sum(t.size for t in self.view.tails._tails.values())
        return found

    def act(self, what: tuple[Any, ...]) -> None:
        """One thing that somebody says, or that the disk does."""
        kind, who, back = what
        line = self.lines[who]
        if kind == "turn":
            self.driver.turn()
        elif kind == "sync":
            self.driver.committer.step()
        elif kind == "send":
            line.says("send", to=DIRECT, text="x" * back, key=self._key(line))
        elif kind == "history":
            line.says("history", conv=DIRECT, limit=1 + back % 60)
        elif kind == "older":
            before = max(self.view.existing(DIRECT).planned - back, 1)
            line.says("history", conv=DIRECT, limit=20, before=before)
        elif kind == "list":
            line.says("conversations", messages=15)
        else:
            self._change(kind, line, back)

    def _change(self, kind: str, line: Line, back: int) -> None:
        n = max(self.view.existing(DIRECT).planned - back % 9, 1)
        fields: dict[str, Any] = {"conv": DIRECT, "n": n, "key": self._key(line)}
        if kind == "edit":
            fields["text"] = "y" * back
        if kind == "react":
            fields |= {"emoji": "+1", "on": back % 2 == 0}
        line.says(kind, **fields)

    def _key(self, line: Line) -> str:
        return f"key-{line.conn}-{next(line.ids):08}"


KINDS = ("send", "send", "turn", "sync", "history", "older", "list", "edit", "recall", "react")
STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 1), st.integers(1, 90)), max_size=120
)


@given(STEPS, st.sampled_from([None, 3_000, 500]))
def test_i2_a_tail_is_never_older_or_newer_than_the_disk(
    steps: list[tuple[Any, ...]], bound: int | None
) -> None:
    watched = Watched(bound)
    with watched.patch:
        for step in steps:
            watched.act(step)
        watched.driver.settle()
        watched.act(("history", 0, 30))
        watched.driver.settle()
    assert watched.reads
    assert watched.view.tails.size <= watched.view.tails._bound


def chat(messages: int) -> tuple[Driver, Line]:
    """A chat of so many messages, and a reader's line."""
    driver = Driver(limits={"sends_per_second": 0})
    ann = driver.open("ann")
    for number in range(messages):
        ann.sends("bob", f"text {number}")
        driver.settle()
    return driver, driver.open("bob")


def test_what_was_read_once_needs_no_read_again_and_grows_with_each_message() -> None:
    driver, bob = chat(30)
    tails = driver.view.tails
    first = bob.asks("history", conv=DIRECT, limit=15)["items"]
    assert (tails.hits, tails.misses) == (0, 1)
    driver.lines[1].sends("bob", "fresh")
    driver.settle()
    with mock.patch.object(driver.store, "multi_get", side_effect=AssertionError("a read")):
        again = bob.asks("history", conv=DIRECT, limit=15)["items"]
    assert again[:-1] == first[1:]
    assert again[-1]["text"] == "fresh"
    assert (tails.hits, tails.misses) == (1, 1)


def test_what_nobody_reads_takes_no_memory() -> None:
    driver, _ = chat(5)
    assert driver.view.tails.size == 0
    assert not driver.view.tails._tails


def test_a_change_costs_one_read_of_one_message() -> None:
    driver, bob = chat(20)
    bob.asks("history", conv=DIRECT, limit=15)
    bob.asks("react", conv=DIRECT, n=18, key="key-react-1", emoji="+1", on=True)
    asked: list[int] = []
    real = driver.store.multi_get

    def counted(column: Any, rows: Any) -> list[bytes | None]:
        asked.append(len(rows))
        return real(column, rows)

    with mock.patch.object(driver.store, "multi_get", counted):
        items = bob.asks("history", conv=DIRECT, limit=10)["items"]
    assert [item.get("reactions") for item in items if item["n"] == 18] == [{"+1": ["bob"]}]
    assert asked == [1, 1], "its body and its state"


def test_i8_a_tail_is_bounded_in_events_and_all_are_in_bytes() -> None:
    driver, bob = chat(TAIL_EVENTS + 20)
    bob.asks("history", conv=DIRECT, limit=200)
    (tail,) = driver.view.tails._tails.values()
    assert len(tail.events) == TAIL_EVENTS
    driver.lines[1].sends("bob", "one more")
    driver.settle()
    assert len(tail.events) == TAIL_EVENTS
    driver.view.tails._bound = tail.size - 1
    driver.lines[1].sends("bob", "the last straw")
    driver.settle()
    assert driver.view.tails.size == 0


def test_who_was_read_longest_ago_goes_first() -> None:
    driver = Driver(limits={"sends_per_second": 0})
    ann = driver.open("ann")
    for other in ("bob", "cid", "dan"):
        ann.sends(other)
        driver.settle()
    tails = Tails(driver.store, bound=1_300)
    for other in ("bob", "cid", "bob", "dan"):
        tails.read(Log(keys.prefix(f"direct:ann,{other}"), 1, 1), 1, 1)
    assert list(tails._tails) == ["direct:ann,bob", "direct:ann,dan"]


def test_a_tail_that_missed_something_is_completed_from_the_store() -> None:
    driver, _ = chat(10)
    tails, prefix = Tails(driver.store), keys.prefix(DIRECT)
    tails.read(Log(prefix, 1, 4), 1, 4)
    whole = tails.read(Log(prefix, 1, 10), 3, 10)
    assert whole == events_at(driver.store, prefix, 3, 10)
    (tail,) = tails._tails.values()
    assert (tail.first, tail.behind) == (1, 11)
