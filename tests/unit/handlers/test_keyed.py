from __future__ import annotations

import pytest

from .driver import Driver, bodies
from .team import Team

CHANGES = {
    "edit": {"n": 3, "text": "ho"},
    "recall": {"n": 3},
    "react": {"n": 3, "emoji": "x"},
    "group.add": {"members": ["dan"]},
    "group.remove": {"members": ["bob"]},
    "group.update": {"name": "Team"},
    "group.leave": {},
}


@pytest.mark.parametrize("op", [*CHANGES, "group.create"])
def test_connect_comes_first(op: str) -> None:
    line = Driver().stranger()
    where = {} if op == "group.create" else {"conv": "group:g"}
    answer = line.asks(op, key="key-0001", **where, **CHANGES.get(op, {}))
    assert (answer["code"], answer["field"]) == ("unauthorized", "op")


@pytest.mark.parametrize("op", CHANGES)
def test_I1_nothing_is_told_before_it_is_durable(op: str) -> None:
    team = Team()
    team.sends(team.ann)
    team.ann.says(op, conv="group:g", key=team.key(), **CHANGES[op])
    assert team.driver.turn() == []
    told = team.driver.sync()
    answer = bodies(told)[-1]
    assert answer["op"] in ("sent", "group", "ok")
    assert told[0].kind == "event"


@pytest.mark.parametrize("op", CHANGES)
@pytest.mark.parametrize("meanwhile", ["nothing", "settled", "restarted"])
def test_I4_a_resend_hears_the_same_and_changes_nothing(op: str, meanwhile: str) -> None:
    team = Team()
    team.sends(team.ann)
    first = team.asks(team.ann, op, conv="group:g", key="key-once", **CHANGES[op])
    rows = {name: dict(table.rows) for name, table in tables(team.driver).items()}
    line = team.ann
    if meanwhile == "restarted":
        team.driver.store.crash()
        line = Driver(team.driver.store).open("ann", "phone")
    elif meanwhile == "settled":
        team.quiet()
    again = line.asks(op, conv="group:g", key="key-once", **CHANGES[op])
    if op != "group.leave":
        assert again.pop("dup") is True
        assert first.pop("dup") is False
    del first["id"], again["id"]
    assert again == first or op == "group.leave"
    assert {name: table.rows for name, table in tables(line.driver).items()} == rows


def tables(driver: Driver) -> dict[str, object]:
    names = ("messages", "timeline", "conversations", "members", "keys", "marks")
    return {name: getattr(driver.store.columns, name) for name in names}


@pytest.mark.parametrize("op", ["edit", "group.add"])
def test_I4_a_resend_under_way_waits_for_the_first(op: str) -> None:
    team = Team()
    team.sends(team.ann)
    for line in (team.ann, team.driver.open("ann", "tablet")):
        line.says(op, conv="group:g", key="key-once", **CHANGES[op])
    assert team.driver.turn() == []
    answers = [body for body in bodies(team.driver.settle()) if body["op"] in ("sent", "group")]
    assert [answer["dup"] for answer in answers] == [False, True]


@pytest.mark.parametrize("op", CHANGES)
def test_I4_another_command_under_the_key_is_a_conflict(op: str) -> None:
    team = Team()
    team.sends(team.ann, key="key-once")
    answer = team.ann.asks(op, conv="group:g", key="key-once", **CHANGES[op])
    assert (answer["code"], answer["field"]) == ("conflict", "key")


def test_I2_a_conflict_with_what_is_on_its_way_waits_for_it() -> None:
    team = Team()
    team.sends(team.ann)
    team.ann.says("edit", conv="group:g", key="key-once", n=3, text="ho")
    team.ann.says("group.add", conv="group:g", key="key-once", members=["dan"])
    assert team.driver.turn() == []
    assert [body.get("code") for body in bodies(team.driver.sync())] == [None, "conflict"]


@pytest.mark.parametrize("op", CHANGES)
def test_I8_changes_are_limited_as_sends_are(op: str) -> None:
    team = Team(driver=Driver(limits={"sends_per_second": 1, "sends_burst": 1}))
    team.sends(team.ann)
    answer = team.asks(team.ann, op, conv="group:g", **CHANGES[op])
    assert (answer["code"], answer["retryable"]) == ("rate_limited", True)
    assert answer["retry_after_ms"] > 0


def test_I8_changes_in_flight_are_bounded() -> None:
    team = Team(driver=Driver(limits={"sends_in_flight": 2}))
    for number in range(3):
        team.ann.says("group.add", conv="group:g", key=team.key(), members=[f"u{number}"])
    (answer,) = bodies(team.driver.turn())
    assert (answer["code"], answer["retryable"]) == ("rate_limited", True)


def test_an_id_that_is_open_is_refused() -> None:
    team = Team()
    for name in ("dan", "eve"):
        team.ann.says("group.add", id=7, conv="group:g", key=team.key(), members=[name])
    (answer,) = bodies(team.driver.turn())
    assert (answer["code"], answer["field"]) == ("bad_request", "id")


def test_what_was_done_is_counted_once() -> None:
    team = Team()
    for _ in range(2):
        team.ann.asks("group.add", conv="group:g", key="key-once", members=["dan"])
    counted = team.driver.metrics.commands
    assert (counted["group.add", "ok"], counted["group.add", "dup"]) == (1, 1)


def test_a_refused_change_does_not_use_its_key_up() -> None:
    team = Team()
    refused = team.bob.asks("group.add", conv="group:g", key="key-once", members=["dan"])
    assert refused["code"] == "forbidden"
    assert team.bob.asks("send", to="group:g", key="key-once", text="hi")["op"] == "sent"
