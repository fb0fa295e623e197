"""What is written of one connection and of one message, and what it costs nobody."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from hivewire.config.sections import Log
from hivewire.delivery import JSON, Caller
from hivewire.following import ConnectionLog, MessageLog, connection_id, logs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.unit
CODES = {"NORMAL": 1000, "KICKED": 4503}
PLACED = SimpleNamespace(conv="direct:ann,ben", n=7, key="key-0001")


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as found:
        yield found


def ann() -> Caller:
    return Caller(0x1A2B, "ann", "phone", JSON, None)


def test_a_connection_is_named_as_connected_names_it() -> None:
    assert connection_id(0x1A2B) == "1a2b"


@pytest.mark.parametrize(
    ("settings", "connections", "messages"),
    [
        (Log(), False, False),
        (Log(connections=True), True, False),
        (Log(level="debug"), True, True),
    ],
)
def test_only_what_is_asked_for_is_there(settings: Log, connections: bool, messages: bool) -> None:
    assert tuple(bool(one) for one in logs_of(settings, CODES)) == (connections, messages)


@pytest.mark.parametrize(("connections", "level"), [(True, "info"), (False, "debug")])
def test_a_connection_begins_and_ends(lines: list[Any], connections: bool, level: str) -> None:
    log = ConnectionLog(Log(connections=connections), CODES)
    log.connected(0x1A2B, "ann", "phone", "resumed")
    log.closing(ann(), 4503, "sent away")
    log.closed(0x1A2B, "ann", "phone", 4503)
    who = {"log_level": level, "connection": "1a2b", "user": "ann", "device": "phone"}
    kicked = {"code": 4503, "name": "kicked"}
    assert lines == [
        {"event": "connected", "kind": "resumed"} | who,
        {"event": "closing", "reason": "sent away"} | who | kicked,
        {"event": "closed"} | who | kicked,
    ]


def test_a_connection_that_was_replaced_ends_as_whose_it_was(lines: list[Any]) -> None:
    log = ConnectionLog(Log(connections=True), CODES | {"REPLACED": 4505})
    log.replaced(0x1A2B, "ann", "phone")
    for _ in range(2):
        log.closed(0x1A2B, None, None, 4505)
    ended = {"event": "closed", "log_level": "info", "connection": "1a2b"}
    ended |= {"code": 4505, "name": "replaced"}
    # What is known of a connection goes with it.
    assert lines == [ended | {"user": "ann", "device": "phone"}, ended]


def test_what_is_not_known_is_not_there(lines: list[Any]) -> None:
    """Another connection has the session; a code is the client's own; no line of the engine."""
    log = ConnectionLog(Log(), CODES)
    log.closed(0x1A2B, None, None, 3999)
    log.closing(Caller(-5, "ann", "http", JSON, None), 4503, "over HTTP")
    (line,) = lines
    assert line == {
        "event": "closed", "log_level": "debug", "connection": "1a2b", "code": 3999, "name": None
    }  # fmt: skip


def test_a_message_from_its_command_to_its_marks(lines: list[Any]) -> None:
    log = MessageLog()
    log.accepted(PLACED, 3, ann())
    log.shown([PLACED], [SimpleNamespace(conv=PLACED.conv, user="ben", delivered=7, read=0)])
    log.pushed({"push": "an id", "conv": PLACED.conv, "n": 7}, "ok", "HTTP 204")
    log.pushed({"push": "an id"}, "retry", "HTTP 500")
    place = {"conv": "direct:ann,ben", "n": 7}
    told = [{k: v for k, v in line.items() if k != "log_level"} for line in lines]
    assert told == [
        {"event": "accepted", "connection": "1a2b", "user": "ann", "device": "phone", "id": 3}
        | place | {"key": "key-0001"},
        {"event": "shown", "key": "key-0001"} | place,
        {"event": "marked", "conv": "direct:ann,ben", "user": "ben", "delivered": 7, "read": 0},
        {"event": "pushed", "push": "an id", "result": "ok", "said": "HTTP 204"} | place,
        {"event": "pushed", "push": "an id", "result": "retry", "said": "HTTP 500"},
    ]  # fmt: skip


def test_a_refusal_says_of_what(lines: list[Any]) -> None:
    caller = ann()
    caller.doing = SimpleNamespace(id=4, to="user:ben", key="key-0002", text="never logged")
    log = MessageLog()
    log.refused("send", 4, "rate_limited", "too many sends", caller)
    log.repeated("direct:ann,ben", 7, 4, caller)
    refused, repeated = lines
    assert (refused["to"], refused["key"], refused["id"]) == ("user:ben", "key-0002", 4)
    assert (refused["code"], refused["reason"]) == ("rate_limited", "too many sends")
    assert (repeated["n"], repeated["key"]) == (7, "key-0002")
    assert "never logged" not in str(lines)


def test_a_refusal_that_comes_late_takes_nothing_from_another_command(lines: list[Any]) -> None:
    caller = ann()
    caller.doing = SimpleNamespace(id=5, to="user:cat", key="key-0003")
    MessageLog().refused("send", 4, "conflict", "x" * 5000, caller)
    (line,) = lines
    assert "to" not in line
    assert "key" not in line
    assert len(line["reason"]) == 300


def test_nobody_has_connected_yet(lines: list[Any]) -> None:
    MessageLog().refused(None, None, "bad_request", "no JSON", Caller(7, None, None, JSON, None))
    (line,) = lines
    assert line["connection"] == "7"
    assert "user" not in line
