from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.commands import (
    JSON,
    MSGPACK,
    Ack,
    CommandError,
    Connect,
    Heartbeat,
    HeartbeatWish,
    Ping,
    Pong,
    Refresh,
    Send,
    Sync,
)
from hivewire.core.decode import decode_frame

SEND: dict[str, Any] = {"op": "send", "id": 1, "to": "user:bob", "key": "01JD8ZK3V6", "text": "hi"}


def both(value: object) -> list[Any]:
    """What a message says in JSON, having checked that MessagePack says the same."""
    packed = decode_frame(msgspec.msgpack.encode(value), MSGPACK)
    text = decode_frame(msgspec.json.encode(value), JSON)
    assert list(map(_told, packed)) == list(map(_told, text))
    return text


def _told(found: object) -> object:
    """A command, or an error without its words: they may name an encoding's own types."""
    if isinstance(found, CommandError):
        return found.id, found.code, found.field, found.op
    return found


def error(value: object) -> CommandError:
    (found,) = both(value)
    assert isinstance(found, CommandError), found
    return found


def without(name: str) -> dict[str, Any]:
    return {field: value for field, value in SEND.items() if field != name}


@pytest.mark.parametrize(
    ("spelled", "command"),
    [
        (SEND, Send(1, "user:bob", "01JD8ZK3V6", "hi")),
        (
            {
                **without("text"),
                "data": {"a": [1]},
                "reply_to": 3,
                "mentions": ["u"],
                "media": ["m"],
            },
            Send(1, "user:bob", "01JD8ZK3V6", None, ["m"], {"a": [1]}, 3, ["u"]),
        ),
        ({**SEND, "data": None}, Send(1, "user:bob", "01JD8ZK3V6", "hi")),
        (
            {
                "op": "connect",
                "id": 1,
                "device": "d",
                "token": "t",
                "epoch": "e",
                "cursor": 8,
                "sync": 9,
            },
            Connect(1, "t", None, "d", "e", 8, 9),
        ),
        (
            {"op": "connect", "id": 1, "heartbeat": {"interval_ms": 5, "from": "client"}},
            Connect(1, heartbeat=HeartbeatWish(5, "client")),
        ),
        ({"op": "connect", "id": 1, "cursor": 2**60}, Connect(1, cursor=2**60)),
        ({"op": "refresh", "id": 2**32 - 1, "token": "t"}, Refresh(2**32 - 1, "t")),
        ({"op": "ack", "seq": 0}, Ack(0)),
        ({"op": "ack", "seq": 2**53 - 1, "id": 3}, Ack(2**53 - 1, 3)),
        ({"op": "sync", "id": 3, "after": 4}, Sync(3, 4, 100)),
        ({"op": "sync", "id": 3, "after": 4, "limit": 9999}, Sync(3, 4, 9999)),
        ({"op": "heartbeat", "id": 3, "from": "server"}, Heartbeat(3, None, "server")),
        ({"op": "ping"}, Ping()),
        ({"op": "ping", "id": 3, "unknown": {"a": []}}, Ping(3)),
        ({"op": "pong"}, Pong()),
    ],
)
def test_what_each_verb_takes(spelled: dict[str, Any], command: object) -> None:
    assert both(spelled) == [command]


@pytest.mark.parametrize(
    ("spelled", "code", "field"),
    [
        (without("key"), "bad_request", "key"),
        (without("to"), "bad_request", "to"),
        (without("text"), "bad_request", "text"),
        ({**SEND, "text": ""}, "bad_request", "text"),
        ({**SEND, "text": 7}, "bad_request", "text"),
        ({**SEND, "text": "x" * 16_385}, "too_large", "text"),
        ({**SEND, "text": "é" * 8_193}, "too_large", "text"),
        ({**SEND, "key": "short"}, "bad_request", "key"),
        ({**SEND, "key": "x" * 65}, "bad_request", "key"),
        ({**SEND, "key": "with a space"}, "bad_request", "key"),
        ({**SEND, "key": "control\x01"}, "bad_request", "key"),
        ({**SEND, "key": "newline.\n"}, "bad_request", "key"),
        ({**SEND, "key": None}, "bad_request", "key"),
        ({**SEND, "reply_to": 0}, "bad_request", "reply_to"),
        ({**SEND, "mentions": ["a b"]}, "bad_request", "mentions"),
        ({**SEND, "mentions": "bob"}, "bad_request", "mentions"),
        ({**SEND, "media": [1]}, "bad_request", "media"),
        ({**SEND, "data": [1]}, "bad_request", "data"),
        ({**SEND, "data": {"a": "x" * 16_384}}, "too_large", "data"),
        ({"op": "connect", "id": 1, "device": "a b"}, "bad_request", "device"),
        ({"op": "connect", "id": 1, "cursor": -1}, "bad_request", "cursor"),
        ({"op": "connect", "id": 1, "cursor": "8"}, "bad_request", "cursor"),
        ({"op": "connect", "id": 1, "sync": True}, "bad_request", "sync"),
        ({"op": "connect", "id": 1, "heartbeat": {"from": "x"}}, "bad_request", "heartbeat"),
        ({"op": "refresh", "id": 1}, "bad_request", "token"),
        ({"op": "ack", "id": 1, "seq": -1}, "bad_request", "seq"),
        ({"op": "ack", "id": 1, "seq": 1.5}, "bad_request", "seq"),
        ({"op": "ack", "id": 1, "seq": 2**53}, "bad_request", "seq"),
        ({"op": "sync", "id": 1}, "bad_request", "after"),
        ({"op": "sync", "id": 1, "after": 0, "limit": 0}, "bad_request", "limit"),
        ({"op": "nonsense", "id": 1}, "unsupported", "op"),
        ({"id": 1}, "bad_request", "op"),
        ({"op": 7, "id": 1}, "bad_request", "op"),
    ],
)
def test_I9_a_wrong_command_has_its_id_and_the_field_named(
    spelled: dict[str, Any], code: str, field: str
) -> None:
    found = error(spelled)
    assert (found.id, found.code, found.field) == (1, code, field)


@pytest.mark.parametrize("wrong", [0, -1, 2**32, "1", None, 1.5, True, [1]])
def test_I9_a_wrong_id_is_no_id(wrong: object) -> None:
    found = error({**SEND, "id": wrong})
    assert (found.id, found.code, found.field, found.op) == (None, "bad_request", "id", "send")


def test_sizes_at_the_bound_are_good() -> None:
    for text in ("x" * 16_384, "é" * 8_192, "\U0001f600" * 4_096):
        assert isinstance(both({**SEND, "text": text})[0], Send)
    assert isinstance(both({**SEND, "data": {"a": "x" * 16_376}})[0], Send)


def nested(levels: int) -> dict[str, Any]:
    """An object of that many levels of objects and arrays, itself included."""
    value: Any = 1
    for _ in range(levels - 1):
        value = [value]
    return {"a": value}


def test_data_nests_16_levels_and_no_more() -> None:
    assert isinstance(both({**SEND, "data": nested(16)})[0], Send)
    found = error({**SEND, "data": nested(17)})
    assert (found.id, found.code, found.field) == (1, "bad_request", "data")


@pytest.mark.parametrize("levels", [18, 100, 5_000])
def test_I9_a_message_that_nests_too_deep_is_dropped_whole(levels: int) -> None:
    opening, closing = "[" * levels, "]" * levels
    for frame in (
        f'{{"op":"ping","id":1,"x":{opening}{closing}}}',
        f'{{"op":"ping","id":"1","x":{opening}{closing}}}',
        opening + closing,
    ):
        (found,) = decode_frame(frame.encode(), JSON)
        assert isinstance(found, CommandError)
        assert (found.id, found.code) == (None, "bad_request")
    packed = b"\x83\xa2op\xa4ping\xa2id\x01\xa1x" + b"\x91" * levels + b"\xc0"
    (found,) = decode_frame(packed, MSGPACK)
    assert isinstance(found, CommandError)
    assert (found.id, found.code) == (None, "bad_request")


def test_wide_is_not_deep() -> None:
    assert both({"op": "ping", "x": [[]] * 500}) == [Ping()]
    assert both([{"op": "ping", "x": [{}]}] * 64) == [Ping()] * 64


def test_braces_and_brackets_in_text_are_text() -> None:
    assert isinstance(both({**SEND, "text": "[{" * 400})[0], Send)
    assert isinstance(both({**SEND, "text": "язык" * 400})[0], Send)


def test_an_array_is_taken_in_order_and_what_is_wrong_has_its_own_error() -> None:
    found = both([{"op": "ping"}, {**SEND, "key": 1}, 7, {"op": "pong", "id": 2}, "x"])
    assert [type(command) for command in found] == [
        Ping,
        CommandError,
        CommandError,
        Pong,
        CommandError,
    ]
    assert [getattr(command, "id", None) for command in found] == [None, 1, None, 2, None]
    assert both([]) == []


def test_64_objects_are_taken_and_65_dropped_whole() -> None:
    assert len(both([{"op": "ping"}] * 64)) == 64
    for surplus in ([{"op": "ping"}] * 65, [{"op": "ping", "id": 0}] * 65):
        found = error(surplus)
        assert (found.id, found.code) == (None, "too_large")


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b'{"op":"ping"} x',
        b'{"op":"ping","id":NaN}',
        b"\xef\xbb\xbf{}",
        b'{"op":"send","id":1,"to":"\xff","key":"01JD8ZK3V6","text":"x"}',
        b'{"op":"send","id":1,"to":"user:b","key":"01JD8ZK3V6","text":"\\ud800"}',
        b'{"op":"ack","seq":"x",,}',
        b'[{"op":"ack","seq":"x"},]',
    ],
)
def test_I9_what_does_not_parse_is_one_error_without_id(frame: bytes) -> None:
    (found,) = decode_frame(frame, JSON)
    assert isinstance(found, CommandError)
    assert (found.id, found.code, found.op) == (None, "bad_request", None)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xc0\x01",
        b"\x82\xa2op\xa3\xff\xfe\xfd\xa3seq\x01",
        b"\x81\xa2op\xa4ping\xc0",
        b"\x81\xa2op",
        b"\xc7\x04\x05abcd",
        b"\xca\x7f\xc0\x00\x00",
    ],
)
def test_I9_the_same_in_messagepack(frame: bytes) -> None:
    (found,) = decode_frame(frame, MSGPACK)
    assert isinstance(found, CommandError)
    assert (found.id, found.code, found.op) == (None, "bad_request", None)


@pytest.mark.parametrize("scalar", [1, "x", None, True, 1.5])
def test_I9_a_message_must_be_an_object_or_an_array(scalar: object) -> None:
    found = error(scalar)
    assert (found.id, found.code) == (None, "bad_request")


@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        float("nan"),
        float("inf"),
        {1: 2},
        {b"a": 1},
        [{None: 1}],
        msgspec.msgpack.Ext(5, b"x"),
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    ],
)
def test_data_says_only_what_json_can_say(value: object) -> None:
    frame = msgspec.msgpack.encode({**SEND, "data": {"a": [value]}})
    (found,) = decode_frame(frame, MSGPACK)
    assert isinstance(found, CommandError)
    assert (found.id, found.code, found.field) == (1, "bad_request", "data")


@pytest.mark.parametrize("number", ["1e999", "18446744073709551616", "-9223372036854775809"])
def test_numbers_that_only_json_can_say_are_refused(number: str) -> None:
    frame = json.dumps({**SEND, "data": {"a": 0}}).replace('"a": 0', f'"a": {number}')
    (found,) = decode_frame(frame.encode(), JSON)
    assert isinstance(found, CommandError)
    assert (found.id, found.code, found.field) == (1, "bad_request", "data")


@given(st.binary(max_size=200), st.sampled_from([JSON, MSGPACK]))
def test_I9_no_bytes_raise(frame: bytes, encoding: int) -> None:
    for found in decode_frame(frame, encoding):
        assert isinstance(
            found, CommandError | Send | Connect | Ping | Pong | Ack | Sync | Refresh | Heartbeat
        )


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
_fields = st.sampled_from(
    [
        "op",
        "id",
        "to",
        "key",
        "text",
        "data",
        "media",
        "mentions",
        "reply_to",
        "seq",
        "after",
        "heartbeat",
    ]
)


@given(
    st.dictionaries(_fields, _values, max_size=5),
    st.sampled_from(["send", "ack", "sync", "connect", "ping", "heartbeat", "refresh"]),
)
def test_I9_no_command_raises_and_an_error_names_a_known_code(
    fields: dict[str, Any], op: str
) -> None:
    for found in decode_frame(json.dumps({**SEND, "op": op, **fields}).encode(), JSON):
        if isinstance(found, CommandError):
            assert found.code in {"bad_request", "too_large", "unsupported"}
