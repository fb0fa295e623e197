from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.entries import MarkEntry
from hivewire.core.marks import NONE, Marks, mark_key, stored_marks
from hivewire.store.memory import Memory

CONV = "direct:ann,bob"
NOBODY: frozenset[str] = frozenset()


class Desk:
    """Marks over a store; `commit` makes durable what was flushed."""

    def __init__(self) -> None:
        self.store = Memory()
        self.marks = Marks(self.store)
        self.batch = self.store.batch()
        self.flushed: list[MarkEntry] = []

    def flush(self, limit: int | None = None) -> list[MarkEntry]:
        moved = [covered.mark for covered in self.marks.flush(self.batch.put, limit)]
        self.flushed += moved
        return moved

    def commit(self) -> None:
        self.store.write(self.batch)
        self.store.sync()
        self.marks.release(self.flushed)
        self.batch, self.flushed = self.store.batch(), []


def test_who_was_never_there_has_no_marks() -> None:
    assert Desk().marks.load(CONV, "bob") == NONE == (0, 0)


def test_read_is_delivered_too() -> None:
    desk = Desk()
    assert desk.marks.move(CONV, "bob", 0, 3, NOBODY)
    assert desk.marks.load(CONV, "bob") == (3, 3)
    assert desk.marks.move(CONV, "bob", 5, 0, NOBODY)
    assert desk.marks.load(CONV, "bob") == (5, 3)


def test_what_was_known_moves_nothing_and_writes_nothing() -> None:
    desk = Desk()
    desk.marks.move(CONV, "bob", 3, 3, NOBODY)
    desk.flush()
    desk.commit()
    assert not desk.marks.move(CONV, "bob", 3, 2, NOBODY)
    assert not desk.marks.dirty


def test_many_moves_write_one_row_and_tell_all_authors() -> None:
    desk = Desk()
    for n, author in enumerate(("ann", "cat", "ann"), 1):
        desk.marks.move(CONV, "bob", n, n, frozenset([author]))
    (covered,) = desk.marks.flush(desk.batch.put)
    assert covered == (MarkEntry("bob", CONV, 3, 3), {"ann", "cat"})
    assert len(desk.batch) == 1


def test_I8_a_flush_may_be_bounded_and_leaves_the_rest_dirty() -> None:
    desk = Desk()
    for number in range(5):
        desk.marks.move(CONV, f"u{number}", 1, 1, NOBODY)
    sizes: list[int] = []
    while desk.marks.dirty:
        sizes.append(len(desk.flush(limit=2)))
    assert sizes == [2, 2, 1]


def test_I8_who_rests_holds_no_memory() -> None:
    desk = Desk()
    desk.marks.move(CONV, "bob", 1, 1, NOBODY)
    desk.flush()
    desk.commit()
    assert (desk.marks._moved, desk.marks._writing) == ({}, {})


def test_a_new_member_begins_at_the_head_and_who_comes_back_never_goes_back() -> None:
    desk = Desk()
    desk.flushed.append(desk.marks.start(CONV, "bob", 7, desk.batch.put))
    assert desk.marks.load(CONV, "bob") == (7, 7)
    desk.commit()
    desk.marks.move(CONV, "bob", 9, 9, NOBODY)
    desk.flushed.append(desk.marks.start(CONV, "bob", 8, desk.batch.put))
    assert desk.marks.load(CONV, "bob") == (9, 9)
    assert not desk.marks.dirty
    desk.commit()
    assert stored_marks(desk.store, CONV, "bob") == (9, 9)


def test_releasing_an_older_write_keeps_the_newer_one() -> None:
    desk = Desk()
    desk.marks.move(CONV, "bob", 1, 1, NOBODY)
    first = desk.flush()
    desk.marks.move(CONV, "bob", 2, 2, NOBODY)
    desk.flush()
    desk.marks.release(first)
    assert desk.marks.load(CONV, "bob") == (2, 2)


def test_the_row_lies_with_the_conversation() -> None:
    desk = Desk()
    desk.marks.move(CONV, "bob", 2, 1, NOBODY)
    desk.flush()
    desk.commit()
    assert list(desk.store.columns.marks.rows) == [mark_key(CONV, "bob")]


moves = st.tuples(st.sampled_from(["ann", "bob"]), st.integers(0, 9), st.integers(0, 9))


@given(st.lists(st.one_of(moves, st.sampled_from(["flush", "commit", "start"])), max_size=40))
def test_marks_never_go_back_and_come_back_as_they_were(
    todo: list[tuple[str, int, int] | str],
) -> None:
    desk = Desk()
    highest = {"ann": (0, 0), "bob": (0, 0)}
    for step in todo:
        if step == "flush":
            desk.flush()
        elif step == "commit":
            desk.flush()
            desk.commit()
        elif step == "start":
            desk.flushed.append(desk.marks.start(CONV, "ann", 4, desk.batch.put))
            highest["ann"] = (max(4, highest["ann"][0]), max(4, highest["ann"][1]))
        else:
            assert isinstance(step, tuple)
            user, delivered, read = step
            before = highest[user]
            after = (max(delivered, read, before[0]), max(read, before[1]))
            assert desk.marks.move(CONV, user, delivered, read, NOBODY) == (after != before)
            highest[user] = after
        assert {user: desk.marks.load(CONV, user) for user in highest} == highest
    desk.flush()
    desk.commit()
    assert {user: stored_marks(desk.store, CONV, user) for user in highest} == highest
