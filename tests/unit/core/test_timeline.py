from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.limits import PAGE_BYTES
from hivewire.core.timeline import page
from hivewire.store import StoreCorrupt, keys

from .driver import Driver


def seqs(driver: Driver, after: int = 0, limit: int = 100) -> list[list[int]]:
    return [
        [event["seq"] for event in shown.to_dict()["events"]]
        for shown in driver.pages("ann", after, limit)
    ]


def filled(count: int, text: str = "hi") -> Driver:
    driver = Driver()
    for number in range(count):
        driver.send(
            "bob" if number % 2 else "ann", "user:bob" if number % 2 == 0 else "user:ann", text
        )
    driver.settle()
    return driver


def test_an_empty_timeline_is_done_at_once() -> None:
    shown = page(Driver().view, "ann", 0, 10)
    assert (shown.events, shown.next, shown.head, shown.done, shown.trimmed_before) == (
        [],
        0,
        0,
        True,
        1,
    )


@given(st.integers(0, 150), st.integers(0, 150), st.integers(1, 200))
def test_I7_pages_join_without_hole_or_overlap(count: int, after: int, limit: int) -> None:
    driver = filled(count)
    after = min(after, count)
    shown = seqs(driver, after, limit)
    assert [seq for part in shown for seq in part] == list(range(after + 1, count + 1))
    assert all(len(part) <= limit for part in shown)


def test_the_fields_in_json() -> None:
    driver = filled(1)
    shown = page(driver.view, "ann", 0, 10)
    assert b"{" + shown.json_fields() == (
        b'{"events":[{"seq":1,"type":"message","conv":"direct:ann,bob","n":1,"from":"ann",'
        b'"key":"key-00000001","ts":1700000000001,"text":"hi"}],'
        b'"next":1,"head":1,"done":true,"trimmed_before":1}'
    )
    assert msgspec.json.decode(b"{" + shown.json_fields()) == shown.to_dict()


def test_limit_is_clamped_to_500() -> None:
    assert [len(part) for part in seqs(filled(501), limit=10_000)] == [500, 1]


def test_a_page_ends_at_256_kib_and_holds_at_least_one_event() -> None:
    driver = filled(40, "x" * 16_000)
    parts = driver.pages("ann")
    assert [len(part.events) for part in parts] == [16, 16, 8]
    assert all(sum(map(len, part.events)) <= PAGE_BYTES for part in parts)
    assert len(page(driver.view, "ann", 0, 10, max_bytes=10).events) == 1


def test_I2_what_is_written_but_not_durable_is_not_shown() -> None:
    driver = filled(2)
    driver.send("ann", "user:bob")
    driver.journal.commit()
    shown = page(driver.view, "ann", 0, 10)
    assert (len(shown.events), shown.head, shown.done) == (2, 2, True)


def test_what_was_trimmed_is_skipped_and_told() -> None:
    driver = filled(4)
    columns, prefix = driver.store.columns, keys.prefix("ann")
    batch = driver.store.batch()
    batch.put(prefix, keys.user_value(4, 0), columns.marks)
    batch.delete_range(prefix, prefix + keys.position(4), columns.timeline)
    driver.store.write(batch)
    driver.store.sync()
    driver.crash()
    shown = page(driver.view, "ann", 0, 10)
    assert ([event["seq"] for event in shown.to_dict()["events"]], shown.trimmed_before) == ([4], 4)
    assert seqs(driver, 1, 1) == [[4]]


def test_a_timeline_trimmed_to_its_end_is_done() -> None:
    driver = filled(2)
    columns, prefix = driver.store.columns, keys.prefix("ann")
    batch = driver.store.batch()
    batch.put(prefix, keys.user_value(3, 0), columns.marks)
    batch.delete_range(prefix, prefix + keys.position(3), columns.timeline)
    driver.store.write(batch)
    driver.store.sync()
    driver.crash()
    shown = page(driver.view, "ann", 0, 10)
    assert (shown.events, shown.next, shown.head, shown.done) == ([], 2, 2, True)
    assert driver.sent("ann", "user:ann").seq == 3


@pytest.mark.parametrize("column", ["timeline", "messages"])
def test_a_missing_row_is_an_error_and_not_a_hole(column: str) -> None:
    driver = filled(3)
    table = getattr(driver.store.columns, column)
    name = "ann" if column == "timeline" else "direct:ann,bob"
    key = keys.prefix(name) + keys.position(2)
    table.delete_range(key, key + b"\0")
    with pytest.raises(StoreCorrupt):
        page(driver.view, "ann", 0, 10)
