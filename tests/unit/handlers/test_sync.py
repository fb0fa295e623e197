from __future__ import annotations

from typing import Any

import pytest

from hivewire.core.limits import PAGE_EVENTS
from hivewire.delivery import JSON, MSGPACK

from .driver import Driver, Line, bodies, kinds


def with_messages(count: int, encoding: int = JSON, **sections: Any) -> tuple[Driver, Line, Line]:
    """ann's line, whose cursor is 0, and that of bob, who has sent to her."""
    limits = {"sends_per_second": 0, "sends_per_second_user": 0, "sends_in_flight": 9_999}
    driver = Driver(limits=limits | sections)
    ann, bob = driver.open("ann", encoding=encoding, cursor=0), driver.open("bob")
    for _ in range(count):
        bob.sends("ann")
    driver.settle()
    return driver, ann, bob


@pytest.mark.parametrize("encoding", [JSON, MSGPACK])
def test_a_page_holds_what_comes_behind_after(encoding: int) -> None:
    driver, ann, _ = with_messages(3, encoding)
    number = ann.says("sync", after=1, limit=1)
    syncing, told = driver.settle()
    assert (syncing.kind, syncing.conn, syncing.user) == ("syncing", ann.conn, "ann")
    assert (told.kind, told.user, told.position, told.live) == ("page", "ann", 2, False)
    (event,) = told.body.pop("events")
    assert (event["seq"], event["from"]) == (2, "bob")
    assert told.body == {
        "op": "page", "id": number, "next": 2, "head": 3, "done": False, "trimmed_before": 1,
    }  # fmt: skip


def test_the_last_page_makes_the_line_live() -> None:
    driver, ann, _ = with_messages(2)
    ann.says("sync", after=0)
    page = driver.settle()[-1]
    assert (page.position, page.live, page.body["done"]) == (2, True, True)


def test_I2_a_page_waits_for_what_is_on_its_way_and_then_shows_it() -> None:
    driver, ann, bob = with_messages(1)
    bob.sends("ann")
    ann.says("sync", after=0)
    # Pushes stop at once; the page comes behind the events of its group.
    assert kinds(driver.turn()) == ["syncing"]
    told = driver.sync()
    assert kinds(told) == ["event", "event", "page"]
    assert [event["seq"] for event in told[-1].body["events"]] == [1, 2]
    assert told[-1].live


def test_I2_live_is_judged_by_the_durable_head_when_the_answer_is_made() -> None:
    """A later message is behind the next sync: it is pushed to the line that is live by then."""
    driver, ann, bob = with_messages(1)
    bob.sends("ann")
    ann.says("sync", after=0)
    driver.turn()
    bob.sends("ann")
    driver.turn()
    first = driver.sync()
    assert (first[-1].kind, first[-1].position, first[-1].live) == ("page", 2, True)
    assert kinds(driver.sync()) == ["event", "event"]


def test_what_is_said_behind_a_sync_waits_for_its_page() -> None:
    driver, ann, bob = with_messages(1)
    bob.sends("ann")
    ann.says("sync", after=0)
    ping = ann.says("ping")
    send = ann.sends("bob")
    assert kinds(driver.turn()) == ["syncing"]
    later = ann.says("ping")
    assert driver.turn() == []
    told = driver.settle()
    assert kinds(told) == ["event", "event", "page", "pong", "pong", "event", "event"]
    assert [told[3].id, told[4].id, told[5].answer["id"]] == [ping, later, send]


def test_two_syncs_are_two_pages_one_after_the_other() -> None:
    driver, ann, bob = with_messages(2)
    bob.sends("ann")
    ann.says("sync", after=0, limit=1)
    ann.says("sync", after=1, limit=1)
    told = [one for one in driver.settle() if one.kind in ("syncing", "page")]
    assert kinds(told) == ["syncing", "page", "syncing", "page"]
    assert [one.position for one in told if one.kind == "page"] == [1, 2]


def test_others_do_not_wait_for_it() -> None:
    driver, ann, bob = with_messages(1)
    bob.sends("ann")
    ann.says("sync", after=0)
    bob.says("ping")
    assert kinds(driver.turn()) == ["syncing", "pong"]


def test_I6_after_acknowledges_the_page_before() -> None:
    driver, ann, _ = with_messages(3)
    ann.asks("sync", after=2)
    assert driver.view.cursors.load("ann", "phone") == 2
    assert driver.cursors_wanted == 1
    ann.asks("sync", after=1)
    assert driver.view.cursors.load("ann", "phone") == 2


def test_I6_after_beyond_the_head_is_refused_and_the_line_stays_live() -> None:
    driver, ann, _ = with_messages(1)
    ann.says("sync", after=2)
    (told,) = driver.settle()
    assert (told.body["code"], told.body["field"]) == ("bad_request", "after")


def test_a_limit_is_clamped() -> None:
    _, ann, _ = with_messages(PAGE_EVENTS + 1)
    assert len(ann.asks("sync", after=0, limit=10**6)["events"]) == PAGE_EVENTS


def test_a_page_ends_at_the_bytes_of_the_settings() -> None:
    _, ann, bob = with_messages(0, page_bytes=65_536)
    for _ in range(6):
        bob.sends("ann", "x" * 16_000)
    ann.driver.settle()
    answer = ann.asks("sync", after=0)
    assert (len(answer["events"]), answer["done"]) == (4, False)


def test_before_connect_it_is_unauthorized() -> None:
    driver = Driver()
    driver.stranger().says("sync", after=0)
    assert [body["code"] for body in bodies(driver.turn())] == ["unauthorized"]
