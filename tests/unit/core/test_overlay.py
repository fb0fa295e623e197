from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.overlay import Overlay, Pending
from hivewire.store.memory import Memory, MemoryBatch

COLUMN = "members"
KEYS = [b"a", b"ab", b"b"]


class Desk:
    """An overlay over a store, with groups that are written and synced one after the other."""

    def __init__(self) -> None:
        self.store = Memory()
        self.overlay = Overlay(self.store)
        self.groups: list[tuple[MemoryBatch, list[Pending]]] = []
        self.open()

    def open(self) -> None:
        """Begin a new group."""
        self.groups.append((self.store.batch(), []))

    def put(self, key: bytes, value: bytes) -> None:
        batch, pending = self.groups[-1]
        pending.append(self.overlay.put(COLUMN, key, value, batch.put))

    def delete(self, key: bytes) -> None:
        batch, pending = self.groups[-1]
        batch.delete(key, self.store.columns.members)
        pending.append(self.overlay.gone(COLUMN, key))

    def commit(self) -> None:
        """Write the oldest group, sync and release it."""
        batch, pending = self.groups.pop(0)
        self.store.write(batch)
        self.store.sync()
        self.overlay.release(pending)
        if not self.groups:
            self.open()


def test_a_row_is_seen_from_the_batch_on() -> None:
    desk = Desk()
    desk.put(b"a", b"1")
    assert desk.overlay.get(COLUMN, b"a") == b"1"
    assert desk.store.get(desk.store.columns.members, b"a") is None


def test_a_row_that_goes_is_gone_from_the_batch_on() -> None:
    desk = Desk()
    desk.put(b"a", b"1")
    desk.commit()
    desk.delete(b"a")
    assert desk.overlay.get(COLUMN, b"a") is None
    assert desk.store.get(desk.store.columns.members, b"a") == b"1"


def test_an_older_write_that_gets_durable_does_not_hide_a_newer_one() -> None:
    desk = Desk()
    desk.put(b"a", b"1")
    desk.open()
    desk.put(b"a", b"2")
    desk.commit()
    assert desk.overlay.get(COLUMN, b"a") == b"2"
    desk.commit()
    assert desk.overlay.get(COLUMN, b"a") == b"2"


def test_column_families_do_not_mix() -> None:
    desk = Desk()
    desk.put(b"a", b"1")
    assert desk.overlay.get("marks", b"a") is None
    assert desk.overlay.under("marks", b"") == []


def test_what_is_on_its_way_under_a_prefix() -> None:
    desk = Desk()
    desk.put(b"ab", b"1")
    desk.delete(b"a")
    desk.put(b"b", b"2")
    assert sorted(desk.overlay.under(COLUMN, b"a")) == [(b"a", None), (b"ab", b"1")]


steps = st.one_of(
    st.tuples(st.sampled_from(KEYS), st.sampled_from([b"1", b"2", None])),
    st.sampled_from(["open", "commit"]),
)


@given(st.lists(steps, max_size=40))
def test_planned_is_what_the_store_says_when_all_is_durable(
    todo: list[tuple[bytes, bytes | None] | str],
) -> None:
    desk, planned = Desk(), dict[bytes, bytes | None]()
    for step in todo:
        if step == "open":
            desk.open()
        elif step == "commit":
            desk.commit()
        else:
            assert isinstance(step, tuple)
            key, value = step
            planned[key] = value
            if value is None:
                desk.delete(key)
            else:
                desk.put(key, value)
        assert [desk.overlay.get(COLUMN, key) for key in KEYS] == [planned.get(key) for key in KEYS]
    for _ in range(len(desk.groups)):
        desk.commit()
    assert not desk.overlay._rows
    assert desk.store.columns.members.rows == {k: v for k, v in planned.items() if v is not None}
