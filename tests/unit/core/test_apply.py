from __future__ import annotations

import msgspec

from hivewire.core.apply import apply_block, apply_send
from hivewire.core.commands import Send
from hivewire.core.entries import BlockEntry, SendEntry
from hivewire.core.plan import plan_send
from hivewire.core.state import block_row
from hivewire.core.view import View
from hivewire.store.memory import Memory, MemoryBatch

TS = 1_700_000_000_000


def planned(view: View, **fields: object) -> SendEntry:
    command = Send(1, "user:u2", "01JD8ZK3V6", **fields)  # type: ignore[arg-type]
    entry = plan_send(command, "u1", "phone", view, TS)
    assert isinstance(entry, SendEntry), entry
    return entry


def applied(entry: SendEntry, store: Memory) -> tuple[bytes, MemoryBatch]:
    batch = store.batch()
    return apply_send(entry, View(store), batch.put, store.columns), batch


def test_the_body_is_the_event_without_op_and_seq() -> None:
    store = Memory()
    body, _ = applied(planned(View(store), text='h"i'), store)
    assert body == (
        b'{"type":"message","conv":"direct:u1,u2","n":1,"from":"u1","key":"01JD8ZK3V6",'
        b'"ts":1700000000000,"text":"h\\"i"}'
    )


def test_all_fields_are_carried_and_absent_ones_are_left_out() -> None:
    store = Memory()
    view = View(store)
    batch = store.batch()
    apply_send(planned(view, text="first"), view, batch.put, store.columns)
    command = Send(2, "user:u1", "01JD8ZK3V7", None, [], {"a": [1, None]}, 1, ["u1", "u2"])
    entry = plan_send(command, "u2", "phone", view, TS)
    assert isinstance(entry, SendEntry)
    body = msgspec.json.decode(apply_send(entry, view, batch.put, store.columns))
    assert list(body)[6:] == ["data", "reply_to", "mentions"]
    assert (body["data"], body["reply_to"], body["mentions"]) == ({"a": [1, None]}, 1, ["u1", "u2"])


def test_four_rows_a_message_and_three_more_for_the_first() -> None:
    store = Memory()
    view = View(store)
    sizes: list[int] = []
    for key in ("01JD8ZK3V6", "01JD8ZK3V7"):
        batch = store.batch()
        entry = plan_send(Send(1, "user:u2", key, "hi"), "u1", "phone", view, TS)
        assert isinstance(entry, SendEntry)
        apply_send(entry, view, batch.put, store.columns)
        sizes.append(len(batch))
    assert sizes == [7, 4]


def test_I11_applying_the_same_entry_elsewhere_gives_the_same_bytes() -> None:
    here, there = Memory(), Memory()
    entry = planned(View(here), text="hi", data={"b": 1.0, "a": "é"})
    record = msgspec.msgpack.encode(entry)
    again = msgspec.msgpack.decode(record, type=SendEntry)
    first, second = applied(entry, here), applied(again, there)
    assert first[0] == second[0]
    assert [(table.name, *rest) for table, *rest in first[1].changes] == [
        (table.name, *rest) for table, *rest in second[1].changes
    ]


def test_I11_applying_an_entry_twice_changes_nothing() -> None:
    store = Memory()
    entry = planned(View(store), text="hi")
    for _ in range(2):
        store.write(applied(entry, store)[1])
    rows = {
        name: dict(getattr(store.columns, name).rows) for name in ("timeline", "messages", "keys")
    }
    assert [len(rows[name]) for name in ("timeline", "messages", "keys")] == [2, 1, 1]


class TestBlock:
    def blocked(self, store: Memory, view: View, *, on: bool) -> None:
        batch = store.batch()
        pending = apply_block(BlockEntry("ann", "bob", on), view, batch)
        assert view.is_blocked("ann", "bob") is on
        store.write(batch)
        store.sync()
        view.overlay.release([pending])
        assert view.is_blocked("ann", "bob") is on
        assert View(store).is_blocked("ann", "bob") is on

    def test_it_is_one_row_that_comes_and_goes(self) -> None:
        store = Memory()
        view = View(store)
        self.blocked(store, view, on=True)
        assert list(store.columns.members.rows) == [block_row("ann", "bob")]
        assert view.direct("ann", "bob").refused == {"bob"}
        self.blocked(store, view, on=False)
        assert not store.columns.members.rows
        assert view.direct("ann", "bob").refused == frozenset()

    def test_it_goes_one_way_and_is_found_by_who_looks_later(self) -> None:
        store = Memory()
        self.blocked(store, View(store), on=True)
        later = View(store)
        assert later.direct("bob", "ann").refused == {"bob"}
        assert not later.is_blocked("bob", "ann")

    def test_both_may_block_each_other(self) -> None:
        store = Memory()
        view, batch = View(store), store.batch()
        apply_block(BlockEntry("ann", "bob", on=True), view, batch)
        apply_block(BlockEntry("bob", "ann", on=True), view, batch)
        assert view.direct("ann", "bob").refused == {"ann", "bob"}
        apply_block(BlockEntry("ann", "bob", on=False), view, batch)
        assert view.direct("ann", "bob").refused == {"ann"}
