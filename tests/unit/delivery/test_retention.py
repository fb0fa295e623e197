"""Timelines and devices grow old in virtual time; the disk may fail between any two steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from hivewire import gateway
from hivewire.core.view import View
from hivewire.delivery.retention import FIRST_MS, STEP_MS, Retention
from hivewire.store import keys
from hivewire.store.verify import verify
from tests.unit.handlers.driver import Driver, Line, bodies

if TYPE_CHECKING:
    from hivewire.store.memory import Memory

pytestmark = pytest.mark.unit
DAY = 24 * 3600 * 1000
KEPT = 90 * DAY
PASS = 3_600_000


class House(Driver):
    """A node that trims when it is told to."""

    def __init__(self, store: Memory | None = None) -> None:
        super().__init__(store, limits={"sends_per_second": 0})
        self.retention = Retention(self.delivery, KEPT, PASS, self.is_here)

    def is_here(self, user: str, device: str) -> bool:
        return device in self.engine.devices(user)

    def step(self) -> int:
        """One step, without the disk's doing anything."""
        waits: list[int] = []
        with mock.patch.object(gateway, "time", self.clock):
            self.gateway.act(lambda: waits.append(self.retention.step(self.services.now_ms)))
        return waits[0]

    def whole_pass(self) -> None:
        while self.step() != PASS:
            self.settle()
        self.settle()

    def rows(self, user: str) -> list[int]:
        """The places that are on disk of a timeline."""
        prefix = keys.prefix(user)
        timeline = self.store.columns.timeline
        found = self.store.scan(timeline, prefix, keys.range_end(prefix), 1_000)
        return [keys.position_of(key) for key, _ in found]

    def days(self, count: int) -> None:
        self.clock.ms += count * DAY


def said(house: House, line: Line, count: int) -> None:
    for number in range(count):
        line.sends("bob", f"text {number}")
        house.settle()


def test_what_is_older_than_the_retention_goes_and_the_rest_stays() -> None:
    house = House()
    ann = house.open("ann")
    said(house, ann, 5)
    house.days(60)
    said(house, ann, 3)
    house.days(40)
    house.whole_pass()
    assert house.rows("ann") == house.rows("bob") == [6, 7, 8]
    bob = house.open("bob", cursor=0, sync=100)
    page = bob.asks("sync", after=0)
    assert [event["seq"] for event in page["events"]] == [6, 7, 8]
    assert (page["trimmed_before"], page["done"], page["head"]) == (6, True, 8)
    assert len(bob.asks("history", conv="direct:ann,bob", limit=50)["items"]) == 8
    assert verify(house.store).problems == []


def test_a_timeline_may_lose_all_and_goes_on_with_its_next_number() -> None:
    house = House()
    ann = house.open("ann")
    said(house, ann, 3)
    house.days(100)
    house.whole_pass()
    assert house.rows("bob") == []
    bob = house.open("bob", cursor=3)
    assert bob.asks("ack", seq=2)["op"] == "ok"
    assert bob.asks("ack", seq=4)["code"] == "bad_request"
    said(house, ann, 1)
    assert house.rows("bob") == [4]
    again = House(house.store)
    assert again.view.user("bob").floor == 4
    assert again.view.user("bob").durable == 4
    assert verify(house.store).problems == []


def test_a_page_behind_the_floor_begins_at_the_floor() -> None:
    house = House()
    ann = house.open("ann")
    said(house, ann, 4)
    house.days(100)
    said(house, ann, 1)
    house.whole_pass()
    line = house.stranger()
    connected = line.asks("connect", token=house.token("bob"), device="tab", cursor=1, sync=10)
    assert (connected["trimmed_before"], connected["cursor"], connected["head"]) == (5, 1, 5)
    assert [event["seq"] for event in connected["page"]["events"]] == [5]


def test_i12_a_crash_before_the_floor_is_durable_changes_nothing() -> None:
    house = House()
    said(house, house.open("ann"), 3)
    house.days(100)
    house.step()
    house.store.crash()
    again = House(house.store)
    assert again.rows("bob") == [1, 2, 3]
    assert again.view.user("bob").floor == 1


def test_i12_rows_that_a_crash_left_below_the_floor_are_seen_by_nobody_and_go_next_time() -> None:
    house = House()
    said(house, house.open("ann"), 3)
    house.days(100)
    house.step()
    house.sync()
    # The floor is durable, the deletion is written but not synced: the power fails.
    assert house.rows("bob") == []
    house.store.crash()
    again = House(house.store)
    again.clock.ms = house.clock.ms
    assert again.rows("bob") == [1, 2, 3]
    assert again.view.user("bob").floor == 4
    bob = again.open("bob", cursor=0)
    page = bob.asks("sync", after=0)
    assert (page["events"], page["trimmed_before"], page["done"]) == ([], 4, True)
    assert verify(again.store).problems == []
    again.whole_pass()
    assert again.rows("bob") == []


def test_i2_a_floor_is_told_when_it_is_durable() -> None:
    house = House()
    said(house, house.open("ann"), 3)
    house.days(100)
    house.step()
    assert house.view.user("bob").floor == 1
    house.sync()
    assert house.view.user("bob").floor == 4


def test_a_channel_that_is_joined_meanwhile_moves_no_floor_back() -> None:
    """Both stand in one row."""
    house = House()
    ann = house.open("ann")
    said(house, ann, 3)
    house.days(100)
    house.step()
    ann.says("group.create", kind="channel", name="news", members=["bob"], key="key-chan-1")
    house.settle()
    again = View(house.store)
    assert (again.user("bob").floor, again.user("bob").channels) == (4, 1)


def test_i8_what_waits_for_its_floor_stays_in_memory() -> None:
    house = House()
    said(house, house.open("ann"), 3)
    house.days(100)
    house.step()
    assert not house.view.user("bob").is_quiet
    house.settle()
    assert house.view.user("bob").is_quiet


# -- devices --------------------------------------------------------------------------------------


def connect(house: House, device: str, **fields: Any) -> dict[str, Any]:
    line = house.stranger()
    answer = line.asks("connect", token=house.token("bob"), device=device, **fields)
    line.closed()
    house.engine.sessions.clear()
    house.settle()
    return answer


def test_a_device_that_was_not_heard_of_is_a_new_one() -> None:
    house = House()
    said(house, house.open("ann"), 2)
    assert connect(house, "phone", cursor=0)["new_device"]
    house.days(89)
    house.whole_pass()
    assert house.view.cursors.load("bob", "phone") == 0
    house.days(2)
    house.whole_pass()
    assert house.view.cursors.load("bob", "phone") is None
    answer = connect(house, "phone")
    assert (answer["new_device"], answer["cursor"]) == (True, 2)


def test_who_connects_now_and_then_is_heard_of_though_nothing_happens() -> None:
    house = House()
    connect(house, "phone", cursor=0)
    for _ in range(3):
        house.days(50)
        assert not connect(house, "phone")["new_device"]
        house.whole_pass()


def test_a_device_that_is_connected_all_the_time_is_heard_of() -> None:
    house = House()
    line = house.open("bob", cursor=0)
    house.days(100)
    house.whole_pass()
    line.closed()
    house.settle()
    house.engine.sessions.clear()
    house.days(80)
    house.whole_pass()
    assert not connect(house, "phone")["new_device"]


def test_who_comes_in_while_he_is_being_forgotten_is_a_new_device_at_once() -> None:
    house = House()
    said(house, house.open("ann"), 2)
    connect(house, "phone", cursor=1)
    house.days(100)
    house.step()
    house.settle()
    house.step()
    line = house.stranger()
    line.says("connect", token=house.token("bob"), device="phone")
    (answer,) = [body for body in bodies(house.settle()) if body["op"] == "connected"]
    assert (answer["new_device"], answer["cursor"]) == (True, 2)
    assert View(house.store).cursors.load("bob", "phone") == 2


# -- the pass -------------------------------------------------------------------------------------


def test_i8_a_step_looks_at_few_and_a_pass_at_all() -> None:
    house = House()
    ann = house.open("ann")
    for number in range(40):
        ann.sends(f"u{number:02}")
        house.settle()
    house.days(100)
    steps = 1
    while house.step() != PASS:
        house.settle()
        steps += 1
    assert steps >= 40 / 16 + 1
    assert all(house.rows(f"u{number:02}") == [] for number in range(40))


def test_a_full_journal_is_left_alone() -> None:
    house = House()
    with mock.patch.object(type(house.journal), "is_full", True):
        assert house.step() == STEP_MS
    assert house.journal.is_idle


def test_everything_may_be_kept_for_ever() -> None:
    house = House()

    def first(kept: int, every: int) -> int | None:
        return Retention(house.delivery, kept, every, house.is_here).first_ms

    assert first(0, PASS) is None
    assert first(KEPT, PASS) == FIRST_MS
    assert first(1_000, 100) == 100
