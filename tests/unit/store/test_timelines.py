from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.store import StoreCorrupt, keys, timelines
from hivewire.store.memory import Memory

ANN, BOB = keys.prefix("ann"), keys.prefix("bob")


def packed(n: int) -> bytes:
    return timelines.pack_reference(
        keys.TYPE_MESSAGE, keys.prefix("direct:ann,bob") + keys.position(n)
    )


def put_runs(store: Memory, prefix: bytes, first: int, numbers: range) -> None:
    batch = store.batch()
    for key, value in timelines.runs(prefix, first, [packed(n) for n in numbers]):
        batch.put(key, value, store.columns.timeline)
    store.write(batch)
    store.sync()


def gather(store: Memory, key: int, n: int, *places: tuple[bytes, int]) -> None:
    flat = [part for prefix, seq in places for part in (prefix, keys.position(seq))]
    batch = store.batch()
    value = timelines.fanout_value(packed(n), flat)
    batch.put(keys.position(key), value, store.columns.fanout)
    store.write(batch)
    store.sync()


def held(store: Memory, prefix: bytes, behind: int, first: int = 1) -> list[bytes | None]:
    return timelines.read(store, prefix, first, behind)


@given(st.integers(1, 40), st.integers(0, 50))
def test_runs_hold_all_and_none_goes_across_a_multiple(first: int, count: int) -> None:
    rows = list(timelines.runs(ANN, first, [packed(n) for n in range(count)]))
    places: list[int] = []
    for row in rows:
        start, end = keys.position_of(row[0]), timelines.end_of(row)
        assert timelines.start_of(start) == timelines.start_of(end)
        assert timelines.length(row[1]) == len(timelines.references(row[1])) == end - start + 1
        places += range(start, end + 1)
    assert places == list(range(first, first + count))


@given(st.integers(1, 40), st.integers(1, 60), st.data())
def test_any_part_is_read_whatever_rows_it_lies_in(
    first: int, count: int, data: st.DataObject
) -> None:
    store = Memory()
    cut = data.draw(st.integers(0, count))
    put_runs(store, ANN, first, range(cut))
    put_runs(store, ANN, first + cut, range(cut, count))
    start = data.draw(st.integers(1, first + count))
    behind = data.draw(st.integers(start, first + count + 3))
    there = {first + n: packed(n) for n in range(count)}
    assert held(store, ANN, behind, start) == [there.get(seq) for seq in range(start, behind)]


def test_a_reference_at_a_place_and_the_row_that_holds_it() -> None:
    store = Memory()
    put_runs(store, ANN, 2, range(2, 5))
    found = timelines.reference_at(store, "ann", 3)
    assert found == (keys.TYPE_MESSAGE, timelines.message_key_of(packed(3)))
    assert timelines.reference_at(store, "ann", 5) is None
    assert timelines.reference_at(store, "bob", 3) is None
    assert timelines.key_of_row(store, ANN, 4) == ANN + keys.position(2)
    assert timelines.key_of_row(store, ANN, 5) == ANN + keys.position(5)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\2\1" + packed(1),
        timelines.pack_run([packed(1)])[:-1],
        timelines.pack_run([packed(1)]) + b"!",
        b"\1\2" + packed(1),
        b"\1\1\1",
    ],
)
def test_what_is_no_row_is_refused(value: bytes) -> None:
    with pytest.raises(keys.RowError):
        timelines.references(value)


@pytest.mark.parametrize("value", [b"", b"\2", b"\1\1", timelines.fanout_value(packed(1), [ANN])])
def test_what_is_no_fanout_is_refused(value: bytes) -> None:
    with pytest.raises((keys.RowError, ValueError)):
        timelines.parse_fanout(value)


def test_a_replay_puts_what_is_in_no_row_and_empties_the_rest() -> None:
    store = Memory()
    put_runs(store, ANN, 1, range(1, 4))
    gather(store, 2, 3, (ANN, 3), (BOB, 1))
    gather(store, 4, 4, (ANN, 4), (BOB, 2))
    assert timelines.replay(store) == 3
    store.crash()
    assert held(store, ANN, 6) == [*(packed(n) for n in range(1, 5)), None]
    assert held(store, BOB, 4) == [packed(3), packed(4), None]
    assert store.scan(store.columns.fanout, b"", None, 1) == []
    assert timelines.replay(store) == 0


def test_a_replay_that_was_cut_off_is_done_again() -> None:
    store = Memory()
    for n in range(1, 40):
        gather(store, n, n, (ANN, n))
    once = Memory()
    for n in range(1, 40):
        gather(once, n, n, (ANN, n))
    timelines.replay(once)
    # The rows of the first attempt are there, and so is still what they came from.
    put_runs(store, ANN, 1, range(1, 40))
    assert timelines.replay(store) == 0
    assert held(store, ANN, 40) == held(once, ANN, 40) == [packed(n) for n in range(1, 40)]


def test_a_timeline_that_was_trimmed_to_its_end_goes_on_at_its_floor() -> None:
    store = Memory()
    batch = store.batch()
    batch.put(ANN, keys.user_value(20, 0), store.columns.marks)
    store.write(batch)
    gather(store, 1, 7, (ANN, 20))
    assert timelines.replay(store) == 1
    assert held(store, ANN, 22, 20) == [packed(7), None]


def test_i3_a_place_that_would_leave_a_hole_is_damage() -> None:
    store = Memory()
    gather(store, 1, 7, (ANN, 2))
    with pytest.raises(StoreCorrupt):
        timelines.replay(store)
