from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hivewire.core import gathered
from hivewire.core.gathered import message_keys
from hivewire.core.timeline import page
from hivewire.store import keys, timelines
from tests.unit.core.driver import Driver

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMBERS = ("bob", "cat")
EVERYBODY = ("ann", *MEMBERS)


@pytest.fixture(autouse=True)
def three_are_many(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(gathered, "MANY", 3)
    return


def group(cache_users: int = 8192) -> Driver:
    """A group of three, whose first three events are gathered."""
    driver = Driver(cache_users=cache_users)
    driver.create("ann", *MEMBERS)
    driver.sent("ann", "group:g", "one")
    return driver


def rows(driver: Driver, column: str) -> int:
    return len(driver.store.scan(getattr(driver.store.columns, column), b"", None, 1_000))


def texts(driver: Driver, user: str) -> list[str | None]:
    return [json.loads(event).get("text") for event in page(driver.view, user, 0, 500).events]


def test_an_event_for_many_is_one_row_and_is_read_from_memory() -> None:
    driver = group()
    assert (rows(driver, "timeline"), rows(driver, "fanout")) == (0, 3)
    for user in EVERYBODY:
        assert texts(driver, user) == [None, None, "one"]


def test_I3_members_who_do_not_fit_into_memory_together_lose_nothing() -> None:
    driver = group(cache_users=1)
    for number in range(4, 40):
        driver.sent("ann", "group:g", str(number))
    for user in EVERYBODY:
        assert texts(driver, user) == [None, None, "one", *(str(n) for n in range(4, 40))]


def test_a_full_run_is_one_row_for_each() -> None:
    driver = group()
    for number in range(4, 16):
        driver.sent("ann", "group:g", str(number))
    assert rows(driver, "timeline") == 3
    assert timelines.reference_at(driver.store, "bob", 15) is not None
    driver.sent("ann", "group:g", "16")
    assert rows(driver, "timeline") == 3
    assert texts(driver, "cat") == [None, None, "one", *(str(n) for n in range(4, 17))]


def test_an_event_for_a_few_takes_along_what_waits() -> None:
    driver = group()
    driver.sent("ann", "user:bob", "direct")
    assert rows(driver, "timeline") == 2
    for user in ("ann", "bob"):
        found = timelines.reference_at(driver.store, user, 4)
        assert found is not None
        assert timelines.reference_at(driver.store, user, 1) is not None
        assert texts(driver, user) == [None, None, "one", "direct"]
    driver.sent("bob", "user:ann", "again")
    assert texts(driver, "ann") == [None, None, "one", "direct", "again"]
    # By now it is one row an event: nothing waits.
    assert rows(driver, "timeline") == 4


def test_what_is_durable_in_a_run_that_is_not_is_read_from_memory() -> None:
    driver = group()
    for number in range(4, 15):
        driver.sent("ann", "group:g", str(number))
    driver.send("ann", "group:g", "15")  # fills the run, and is not durable yet
    state = driver.view.user("bob")
    assert (state.durable, state.rows, rows(driver, "timeline")) == (14, 15, 0)
    assert len(texts(driver, "bob")) == 14
    assert None not in message_keys(driver.store, state, 1, 15)


@pytest.mark.parametrize("power", [True, False])
def test_i1_a_crash_loses_nothing_that_was_gathered(power: bool) -> None:
    driver = group()
    if not power:
        driver.store.sync()
    driver.send("ann", "group:g", "lost")
    driver.crash()
    for user in EVERYBODY:
        assert texts(driver, user) == [None, None, "one"]
    assert rows(driver, "fanout") == 0
    assert driver.sent("ann", "group:g", "two").members[0][1] == 4
    assert texts(driver, "bob") == [None, None, "one", "two"]


def test_those_who_wait_stay_in_memory_however_many_there_are() -> None:
    driver = group(cache_users=2)
    for number in range(20):
        driver.sent(f"u{number}", f"user:v{number}")
    assert {*EVERYBODY} <= {*driver.view.users}
    assert driver.view.user("bob").durable == 3


def test_a_sweep_puts_those_who_wait_the_longest() -> None:
    driver = group()
    waiting, state = driver.view.gathered, driver.view.user("ann")
    waiting._waiting = 1
    batch = driver.store.batch()
    swept = waiting.sweep(batch.put, 1)
    assert [(who.user, seq) for who, seq in swept.places] == [("ann", 3)]
    # Until the row is durable, it counts as waiting.
    assert not state.is_quiet
    assert texts(driver, "ann") == [None, None, "one"]
    driver.store.write(batch)
    driver.store.sync()
    waiting.release(swept)
    assert state.is_quiet
    assert waiting.to_free() is None
    rest = waiting.sweep(batch_put := driver.store.batch().put)
    assert {who.user for who, _ in rest.places} == {*MEMBERS}
    assert waiting.sweep(batch_put).places == []


def test_nothing_is_swept_while_little_waits() -> None:
    driver = group()
    assert driver.view.gathered.sweep(driver.store.batch().put, 100).places == []


def test_what_comes_after_a_sweep_waits_anew() -> None:
    driver = group()
    waiting, batch = driver.view.gathered, driver.store.batch()
    swept = waiting.sweep(batch.put)
    driver.store.write(batch)
    driver.sent("ann", "group:g", "two")
    waiting.release(swept)
    assert not driver.view.user("bob").is_quiet
    # The rows of the first three may go, that of the fourth may not.
    assert waiting.to_free(everything=True) == (keys.position(0), keys.position(10))
    assert texts(driver, "bob") == [None, None, "one", "two"]
    driver.crash()
    assert texts(driver, "bob") == [None, None, "one", "two"]


def test_fanout_is_freed_up_to_the_oldest_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered, "_FREED_AT_ONCE", 4)
    driver = group()
    waiting = driver.view.gathered
    assert waiting.to_free() is None
    waiting.sweep(driver.store.batch().put)
    assert waiting.to_free() == (keys.position(0), keys.position(10))
    assert waiting.to_free() is None
