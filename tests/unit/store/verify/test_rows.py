from __future__ import annotations

from hivewire.store import keys
from hivewire.store.verify import rows
from hivewire.store.verify.report import Report

from .life import lived


def test_all_rows_of_a_column_family_are_read_once_and_counted() -> None:
    driver, report = lived(), Report()
    column = driver.store.columns.cursors
    for number in range(1_200):
        column.put(keys.prefix(f"u{number}") + b"phone", keys.cursor_value(0, 0))
    found = [key for key, _ in rows.all_rows(driver.store, "cursors", report)]
    assert found == column.keys
    assert report.counts == {"cursors": 1_201}


def test_what_rows_say() -> None:
    store = lived().store
    event = rows.event_at(store, "group:g", 3)
    assert event is not None
    assert (event["from"], event["text"]) == ("ann", "hi")
    state = rows.state_at(store, "group:g", 3)
    assert state is not None
    assert (state["text"], state["counts"]) == ("he", {"x": 1})
    conversation = rows.conversation_row(store, "direct:ann,bob")
    assert conversation is not None
    assert (conversation.kind, conversation.size) == (keys.KIND_DIRECT, 2)
    assert rows.user_row(store, "bob") == keys.UserRow(1, 2)
    assert rows.head_of_conversation(store, "direct:ann,bob") == 1
    assert rows.head_of_timeline(store, "ann") == rows.head_of_timeline(store, "ann") > 0


def test_what_is_not_there() -> None:
    store = lived().store
    assert rows.event_at(store, "group:g", 999) is None
    assert rows.state_at(store, "group:g", 1) is None
    assert rows.conversation_row(store, "group:none") is None
    assert rows.user_row(store, "nobody") is None
    assert rows.floor_of(store, "nobody") == 1
    assert rows.head_of_conversation(store, "group:none") == 0
    assert rows.head_of_timeline(store, "nobody") == 0


def test_the_members_of_a_direct_conversation_are_in_its_name() -> None:
    assert rows.direct_members("direct:ann,bob") == {"ann", "bob"}
    assert rows.direct_members("direct:ann,ann") == {"ann"}
    assert rows.direct_members("group:ann,bob") == frozenset()
