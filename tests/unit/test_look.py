"""What `inspect` says of rows, of those that are whole and of those that are not."""

from __future__ import annotations

from typing import Any

import pytest

from hivewire import look
from hivewire.core.gathered import MANY
from hivewire.store import keys
from hivewire.store.timelines import fanout_value, pack_reference

from .core.driver import Driver
from .store.verify.life import life


@pytest.fixture(scope="module")
def driver() -> Driver:
    driver = Driver()
    life(driver)
    return driver


def rows(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["row"] == kind]


def test_the_whole(driver: Driver) -> None:
    (line,) = look.overview(driver.store)
    assert (line["format"], line["epoch"]) == (keys.FORMAT_VERSION, driver.store.epoch)


def test_a_user_with_his_timeline(driver: Driver) -> None:
    lines = list(look.user(driver.store, "bob", 0, 1000))
    (user,) = rows(lines, "user")
    events = rows(lines, "event")
    assert [event["seq"] for event in events] == list(range(1, user["head"] + 1))
    assert {"message", "edit", "recall", "membership"} <= {event["type"] for event in events}
    assert rows(lines, "device")[0]["cursor"] == 4
    assert {row["conv"] for row in rows(lines, "member_of")} >= {"group:g", "direct:ann,bob"}
    assert rows(list(look.user(driver.store, "ann", 0, 0)), "block") == [
        {"row": "block", "user": "eve"}
    ]
    assert [e["seq"] for e in rows(list(look.user(driver.store, "bob", 3, 2)), "event")] == [4, 5]


def test_a_user_whom_nobody_knows(driver: Driver) -> None:
    assert list(look.user(driver.store, "nobody", 0, 9)) == [
        {"row": "user", "user": "nobody", "head": 0}
    ]


def test_a_conversation_with_what_became_of_its_messages(driver: Driver) -> None:
    lines = list(look.conversation(driver.store, "group:g", 0, 1000))
    (about,) = rows(lines, "conversation")
    assert (about["kind"], about["name"]) == ("channel", "Crowd")
    assert {row["user"] for row in rows(lines, "member")} >= {"bob", "cat"}
    events = {event["n"]: event for event in rows(lines, "event")}
    assert list(events) == list(range(1, about["head"] + 1))
    assert events[3]["state"]["text"] == "he"
    assert "recalled" in events[4]


def test_a_key(driver: Driver) -> None:
    (key,) = look.key(driver.store, "bob", "no such key")
    assert key["used"] is False
    ((row, _), *_) = driver.store.scan(driver.store.columns.keys, keys.prefix("ann"), None, 1)
    (key,) = look.key(driver.store, "ann", keys.split(row)[1].decode())
    assert (key["used"], key["op"]) == (True, "create")


def test_what_cannot_be_read_is_shown_as_it_is() -> None:
    driver = Driver()
    driver.send("ann", "user:bob")
    driver.send("ann", "user:bob")
    driver.settle()
    store, batch = driver.store, driver.store.batch()
    prefix = keys.prefix("ann")
    batch.put(prefix + keys.position(1), b"\x09\x09", store.columns.timeline)
    batch.delete(keys.prefix("direct:ann,bob") + keys.position(2), store.columns.messages)
    batch.put(prefix + b"phone", b"\x01short", store.columns.cursors)
    store.write(batch)
    lines = list(look.user(store, "ann", 0, 9))
    first, second = rows(lines, "event")
    assert "unknown version" in first["problem"]
    assert first["value"] == "0909"
    assert "no row" in second["problem"]
    assert rows(lines, "device")[0]["value"] == b"\x01short".hex()


def test_what_is_gathered_for_a_timeline_is_shown_in_its_place() -> None:
    driver = Driver()
    members = [f"u{number}" for number in range(MANY)]
    driver.send("u0", "user:ann")
    driver.settle()
    store = driver.store
    body = keys.prefix("direct:ann,u0") + keys.position(1)
    places = [part for user in members for part in (keys.prefix(user), keys.position(2))]
    batch = store.batch()
    value = fanout_value(pack_reference(keys.TYPE_MESSAGE, body), places)
    batch.put(keys.position(MANY), value, store.columns.fanout)
    store.write(batch)
    lines = list(look.user(store, "u0", 0, 9))
    assert lines[0]["head"] == 2
    assert [(row["seq"], row.get("gathered")) for row in rows(lines, "event")] == [
        *((1, None), (2, True))
    ]
