from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.apply_change import apply_change
from hivewire.core.entries import ChangeEntry
from hivewire.core.view import View
from hivewire.store import keys
from hivewire.store.memory import Memory

from .driver import Driver

CONV = "group:g"


def copy_of(store: Memory) -> Memory:
    """Another machine with the same rows."""
    other = Memory()
    for name in keys.COLUMNS:
        table = getattr(other.columns, name)
        for key, value in getattr(store.columns, name).rows.items():
            table.put(key, value)
    return other


def written(entry: ChangeEntry, store: Memory) -> list[tuple[Any, ...]]:
    """What applying puts into a batch."""
    batch = store.batch()
    apply_change(entry, View(store), batch)
    return [(table.name, *change) for table, *change in batch.changes]


def grown(driver: Driver) -> None:
    """A group with some history, all of it durable."""
    driver.create("ann", "bob", "cat", name="Team")
    driver.send("ann", CONV, "hi")
    driver.edit("ann", CONV, 3, "ho")
    driver.react("bob", CONV, 3, "x")
    driver.settle()


CHANGES = {
    "create": lambda d: d.create("ann", "bob", group="h", kind="channel"),
    "add": lambda d: d.add("ann", CONV, "dan"),
    "outgrow": lambda d: d.add("ann", CONV, *"defghij"),
    "remove": lambda d: d.remove("ann", CONV, "bob"),
    "leave": lambda d: d.leave("ann", CONV),
    "rename": lambda d: d.update("ann", CONV, name="Gang"),
    "promote": lambda d: d.update("ann", CONV, user="bob", role="admin"),
    "nothing": lambda d: d.add("ann", CONV, "bob"),
    "edit": lambda d: d.edit("ann", CONV, 3, "he"),
    "react": lambda d: d.react("cat", CONV, 3, "x"),
    "unreact": lambda d: d.react("bob", CONV, 3, "x", on=False),
    "recall": lambda d: d.recall("ann", CONV, 3),
}


@pytest.mark.parametrize("change", CHANGES)
def test_I11_the_same_entry_on_the_same_rows_gives_the_same_bytes(change: str) -> None:
    driver = Driver()
    grown(driver)
    there = copy_of(driver.store)
    entry = CHANGES[change](driver)
    assert isinstance(entry, ChangeEntry)
    record = msgspec.msgpack.decode(msgspec.msgpack.encode(entry), type=ChangeEntry)
    here, elsewhere = written(entry, copy_of(there)), written(record, there)
    assert here == elsewhere
    driver.settle()
    batch = there.batch()
    apply_change(record, View(there), batch)
    there.write(batch)
    assert {name: getattr(there.columns, name).rows for name in keys.COLUMNS} == driver.rows()


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_takes_its_key_with_its_answer(change: str) -> None:
    driver = Driver()
    grown(driver)
    entry = CHANGES[change](driver)
    driver.settle()
    row = driver.rows()["keys"][keys.prefix(entry.user) + entry.key.encode()]
    assert keys.parse_key_value(row) == (
        *(entry.op, entry.digest, entry.n, entry.seq, entry.ts, entry.conv),
    )


def test_members_stand_in_both_directions() -> None:
    driver = Driver()
    grown(driver)
    driver.remove("ann", CONV, "cat")
    driver.settle()
    rows, row = driver.rows()["members"], keys.member_value(keys.ROLE_MEMBER, 0, keys.KIND_GROUP)
    assert rows[keys.prefix(CONV) + b"bob"] == rows[keys.prefix("bob") + CONV.encode()] == row
    assert keys.prefix(CONV) + b"cat" not in rows
    assert keys.prefix("cat") + CONV.encode() not in rows


def test_who_comes_begins_at_the_head_and_who_comes_back_is_not_behind() -> None:
    driver = Driver()
    grown(driver)
    driver.add("ann", CONV, "dan")
    driver.settle()
    assert driver.view.marks.load(CONV, "dan") == (6, 6)
    driver.leave("dan", CONV)
    driver.send("ann", CONV)
    driver.add("ann", CONV, "dan")
    driver.settle()
    assert driver.view.marks.load(CONV, "dan") == (9, 9)


def test_I3_a_group_that_became_a_channel_goes_on_without_timelines() -> None:
    driver = Driver()
    grown(driver)
    driver.add("ann", CONV, *"defg")
    entry = driver.send("d", CONV)
    driver.settle()
    state = driver.view.existing(CONV)
    assert (state.is_channel, state.members, state.roles, state.size) == (True, (), {}, 7)
    assert (entry.n, entry.seq, entry.members) == (8, 0, ())
    for user in ("ann", "bob", "g"):
        assert driver.view.user(user).channels == 1
        assert driver.view.member(state, user) is not None
        assert driver.timeline(user)[-1]["kind"] == "channel"
    again = View(driver.store).existing(CONV)
    assert (again.is_channel, again.size, again.planned) == (True, 7, 8)


def test_bodies_are_the_events_in_their_order() -> None:
    driver = Driver()
    batch = driver.store.batch()
    entry = driver.create("ann", "bob")
    applied = apply_change(entry, View(Memory()), batch)
    assert [msgspec.json.decode(body) for body in applied.bodies] == [
        part.body for part in entry.parts
    ]


names = st.sampled_from(["ann", "bob", "cat", "dan", "eve"])
steps = st.one_of(
    st.tuples(st.sampled_from(["add", "remove", "promote", "own", "demote"]), names, names),
    st.tuples(st.sampled_from(["leave", "send"]), names, names),
    st.tuples(st.sampled_from(["settle", "crash", "rename"]), names, names),
)


def act(driver: Driver, conv: str, what: str, who: str, other: str) -> None:
    if what in ("add", "remove"):
        getattr(driver, what)(who, conv, other)
    elif what in ("promote", "own", "demote"):
        role = {"promote": "admin", "own": "owner", "demote": "member"}[what]
        driver.update(who, conv, user=other, role=role)
    elif what == "leave":
        driver.leave(who, conv)
    elif what == "send":
        driver.send(who, conv)
    elif what == "rename":
        driver.update(who, conv, name=f"by {who}")
    else:
        driver.settle()
        if what == "crash":
            driver.crash()


@given(st.sampled_from(["group", "channel"]), st.lists(steps, max_size=30))
def test_I3_what_memory_says_of_a_group_is_what_the_store_says(
    kind: str, todo: list[tuple[str, str, str]]
) -> None:
    driver, conv = Driver(cache_users=2), f"{kind}:g"
    driver.create("ann", "bob", kind=kind)
    for step in todo:
        act(driver, conv, *step)
    driver.settle()
    known, stored = driver.view.existing(conv), View(driver.store)
    read = stored.existing(conv)
    assert (known.size, known.name, known.durable) == (read.size, read.name, read.durable)
    everybody = ("ann", "bob", "cat", "dan", "eve")
    rows = [driver.view.member(known, name) for name in everybody]
    assert rows == [stored.member(read, name) for name in everybody]
    members = [name for name, row in zip(everybody, rows, strict=True) if row is not None]
    assert len(members) == known.size
    owners = [row for row in rows if row is not None and row.role == keys.ROLE_OWNER]
    assert owners or not members
    for name in everybody:
        assert driver.view.user(name).planned == stored.user(name).planned
        assert driver.view.user(name).channels == stored.user(name).channels
        assert stored.user(name).channels == (kind == "channel" and name in members)
    assert not driver.view.pending
    assert not driver.view.overlay._rows
