"""Every verb has a bound: its own, or the one that all questions of a connection share."""

from __future__ import annotations

from typing import Any

import pytest

from hivewire.core import commands
from hivewire.handlers import BOUNDED, HANDLERS
from hivewire.handlers.rates import FLOOD_MS
from tests.unit.handlers.driver import CODES, Driver, bodies

pytestmark = pytest.mark.unit
OWN_BOUND = {
    commands.Connect: "one a connection",
    commands.CommandError: "bad_per_minute",
    commands.Sync: "one at a time; the next page waits until the one before was read",
    commands.Ack: "cheap; moves are gathered",
    commands.Ping: "the engine's own affair but for odd spellings",
    commands.Pong: "the same",
    **dict.fromkeys((commands.Send, commands.Edit, commands.Recall, commands.React), "sends"),
    **dict.fromkeys((commands.GroupCreate, commands.GroupAdd, commands.GroupRemove), "sends"),
    **dict.fromkeys((commands.GroupUpdate, commands.GroupLeave), "sends"),
}
"""What bounds the other verbs."""
ASKED: dict[str, dict[str, Any]] = {
    "history": {"conv": "direct:ann,bob"},
    "conversations": {},
    "outcome": {"key": "key-00001"},
    "group.info": {"conv": "group:g"},
    "group.members": {"conv": "group:g"},
    "open": {"conv": "channel:c"},
    "close": {"conv": "channel:c"},
    "read": {"conv": "direct:ann,bob", "n": 0},
    "typing": {"conv": "direct:ann,bob", "state": "start"},
    "block": {"user": "bob"},
    "unblock": {"user": "bob"},
    "push.register": {"kind": "webhook", "endpoint": "mobile", "token": "t"},
    "push.unregister": {},
    "keys.put": {"keys": {}},
    "keys.get": {"user": "bob"},
    "watch": {"users": ["bob"]},
    "unwatch": {"users": ["bob"]},
    "status": {"state": "away"},
    "heartbeat": {"interval_ms": 30_000},
    "refresh": {"token": "no token"},
}


def node(**limits: int) -> Driver:
    return Driver(limits=limits)


def test_i8_every_verb_has_a_bound() -> None:
    assert set(BOUNDED).isdisjoint(OWN_BOUND)
    assert set(HANDLERS) == set(BOUNDED) | set(OWN_BOUND)
    assert {str(kind.__struct_config__.tag) for kind in BOUNDED} == set(ASKED)  # type: ignore[attr-defined]


@pytest.mark.parametrize("op", ASKED)
def test_i8_who_asks_too_often_is_told_when_to_ask_again(op: str) -> None:
    driver = node(queries_per_second=1, queries_burst=1)
    ann = driver.open("ann")
    assert ann.asks(op, **ASKED[op]).get("code") != "rate_limited"
    refused = ann.asks(op, **ASKED[op])
    assert (refused["code"], refused["retryable"]) == ("rate_limited", True)
    driver.clock.ms += refused["retry_after_ms"]
    assert ann.asks(op, **ASKED[op]).get("code") != "rate_limited"


def test_all_questions_share_one_rate_and_sends_have_their_own() -> None:
    driver = node(queries_per_second=1, queries_burst=2, sends_per_second=1, sends_burst=1)
    ann = driver.open("ann")
    ann.asks("history", conv="direct:ann,bob")
    ann.asks("read", conv="direct:ann,bob", n=0)
    assert ann.asks("conversations")["code"] == "rate_limited"
    assert ann.asks("send", to="user:bob", text="hi", key="key-00001")["op"] == "sent"
    assert ann.asks("ack", seq=1)["op"] == "ok"
    assert driver.open("ann", "tab").asks("conversations")["op"] == "conversations"


def test_what_waits_behind_another_command_is_counted_once() -> None:
    driver = node(queries_per_second=1, queries_burst=3)
    ann = driver.open("ann")
    for _ in range(4):
        ann.says("conversations")
    told = [body.get("code", body["op"]) for body in bodies(driver.settle())]
    assert told == ["conversations", "conversations", "conversations", "rate_limited"]


def test_a_refusal_without_an_id_says_what_for() -> None:
    driver = node(queries_per_second=1, queries_burst=1)
    ann = driver.open("ann")
    for _ in range(2):
        ann.says("typing", conv="direct:ann,bob", state="start", id=None)
    (refused,) = bodies(driver.settle())
    assert (refused["for"], refused["code"]) == ("typing", "rate_limited")


def test_who_does_not_stop_is_closed() -> None:
    driver = node(queries_per_second=10, queries_burst=1)
    ann = driver.open("ann")
    closed: list[int] = []
    for _ in range(FLOOD_MS // 25 + 2):
        ann.says("read", conv="direct:ann,bob", n=0)
        closed += [told.code for told in driver.settle() if told.kind == "close"]
        driver.clock.ms += 25
    assert set(closed) == {CODES["RATE_LIMITED"]}


def test_zero_is_no_limit() -> None:
    driver = node(queries_per_second=0, queries_burst=1)
    ann = driver.open("ann")
    answers = [ann.asks("outcome", key="key-00001")["code"] for _ in range(50)]
    assert set(answers) == {"not_found"}
