"""Bad input, rows 10 to 15:

objects that do not parse, tokens that are none, numbers beyond the head. I9.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.e2e import messagepack
from tests.e2e.rfc6455 import BINARY, TEXT
from tests.e2e.stranger import Closed, Stranger, assert_error_shape, key
from tests.integration.test_bad_frames import open_line
from tests.node import SECRET
from tests.tokens import segment, sign, token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


# -- messages that do not parse as a whole: dropped whole, one error without id -------------------

BAD_JSON = {
    "not JSON": b"hello",
    "half an object": b'{"op":"ping","id":1',
    "two objects": b'{"op":"ping"}{"op":"ping"}',
    "a number": b"17",
    "a string": b'"ping"',
    "null": b"null",
    "NaN": b'{"op":"ping","id":1,"x":NaN}',
    "Infinity": b'{"op":"ping","id":1,"x":-Infinity}',
    "single quotes": b"{'op':'ping'}",
    "trailing comma": b'{"op":"ping",}',
    "a comment": b'{"op":"ping"}//',
    "control character in a string": b'{"op":"ping","x":"\x01"}',
    "lone surrogate": b'{"op":"send","id":1,"to":"user:b","key":"12345678","text":"\\ud800"}',
    "65 objects": b"[" + b",".join([b'{"op":"ping","id":1}'] * 65) + b"]",
    "depth 20": b'{"op":"ping","id":1,"x":' + json.dumps(nested(20)).encode() + b"}",
    "depth 10000": b"[" * 10000 + b"]" * 10000,
}
BAD_MSGPACK = {
    "unused type": b"\xc1",
    "cut short": b"\x82\xa2op\xa4ping",
    "two objects": b"\x81\xa2op\xa4ping" * 2,
    "a number": b"\x07",
    "key is a number": b"\x82\xa2op\xa4ping\x01\x02",
    "array of 2^32": b"\xdd\xff\xff\xff\xff",
    "object of 2^32": b"\xdf\xff\xff\xff\xff",
    "string of 2^32": b"\xdb\xff\xff\xff\xff",
    "65 objects": b"\xdc\x00\x41" + b"\x82\xa2op\xa4ping\xa2id\x01" * 65,
    "depth 10000": b"\x91" * 10000 + b"\x01",
}


@pytest.mark.parametrize("row", BAD_JSON)
async def test_i9_bad_json_is_one_error_and_the_line_stays(
    node: Node, name: Name, row: str
) -> None:
    await _assert_dropped(node, name("ann"), "json", BAD_JSON[row])


@pytest.mark.parametrize("row", BAD_MSGPACK)
async def test_i9_bad_messagepack_is_one_error_and_the_line_stays(
    node: Node, name: Name, row: str
) -> None:
    await _assert_dropped(node, name("ann"), "msgpack", BAD_MSGPACK[row])


async def _assert_dropped(node: Node, user: str, encoding: str, raw: bytes) -> None:
    async with await Stranger.join(node, user, encoding=encoding) as ann:
        ann.line.send(TEXT if encoding == "json" else BINARY, raw)
        assert (await ann.call("ping", id=77))["head"] == 0
        errors = [message for message in ann.received if message["op"] == "error"]
        assert len(errors) == 1, ann.received
        assert_error_shape(errors[0])
        assert errors[0]["code"] in ("bad_request", "too_large")
        pongs = [message for message in ann.received if message["op"] == "pong"]
        assert len(pongs) == 1, "dropped whole"


# -- commands wrong in themselves: their own error, the field named -------------------------------

SEND = {"op": "send", "id": 5, "to": "user:bob", "key": "12345678", "text": "x"}
WRONG: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "unknown op": ({"op": "dance"}, "unsupported", "op"),
    "op is a number": ({"op": 7}, "bad_request", "op"),
    "no op": ({"op": ...}, "bad_request", "op"),
    "no to": ({"to": ...}, "bad_request", "to"),
    "to is a number": ({"to": 7}, "bad_request", "to"),
    "to is nothing known": ({"to": "planet:mars"}, "bad_request", "to"),
    "to is empty": ({"to": ""}, "bad_request", "to"),
    "to without a user": ({"to": "user:"}, "bad_request", "to"),
    "to with a space": ({"to": "user:a b"}, "bad_request", "to"),
    "to with a control character": ({"to": "user:a\x07b"}, "bad_request", "to"),
    "to with a nul": ({"to": "user:a\x00b"}, "bad_request", "to"),
    "to with an umlaut": ({"to": "user:jürgen"}, "bad_request", "to"),
    "to too long": ({"to": "user:" + "x" * 65}, "bad_request", "to"),
    "direct in the wrong order": ({"to": "direct:zz,{me}"}, "bad_request", "to"),
    "direct of three": ({"to": "direct:a,b,c"}, "bad_request", "to"),
    "direct of one": ({"to": "direct:a"}, "bad_request", "to"),
    "direct of others": ({"to": "direct:{me}0,{me}1"}, "forbidden", "to"),
    "a group that does not exist": ({"to": "group:nowhere"}, "forbidden", "to"),
    "a channel that does not exist": ({"to": "channel:nowhere"}, "forbidden", "to"),
    "no key": ({"key": ...}, "bad_request", "key"),
    "key of 7": ({"key": "1234567"}, "bad_request", "key"),
    "key of 65": ({"key": "x" * 65}, "bad_request", "key"),
    "key with a newline": ({"key": "12345678\n"}, "bad_request", "key"),
    "key is a number": ({"key": 12345678}, "bad_request", "key"),
    "text is a number": ({"text": 7}, "bad_request", "text"),
    "text too long": ({"text": "x" * 16385}, "too_large", "text"),
    "text too long in bytes": ({"text": "é" * 8193}, "too_large", "text"),
    "data is a list": ({"data": [1]}, "bad_request", "data"),
    "data too long": ({"data": {"x": "y" * 16384}}, "too_large", "data"),
    "nothing to say": ({"text": ...}, "bad_request", "text"),
    "mentions is a string": ({"mentions": "bob"}, "bad_request", "mentions"),
    "mentions no id": ({"mentions": ["a b"]}, "bad_request", "mentions"),
    "reply_to is text": ({"reply_to": "1"}, "bad_request", "reply_to"),
    "reply_to is 0": ({"reply_to": 0}, "bad_request", "reply_to"),
}


@pytest.mark.parametrize("row", WRONG)
@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_i9_a_wrong_send_names_its_field(
    node: Node, name: Name, encoding: str, row: str
) -> None:
    change, code, field = WRONG[row]
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        command = {k: v for k, v in (SEND | change).items() if v is not ...}
        if isinstance(command.get("to"), str):
            command["to"] = command["to"].replace("{me}", name("ann"))
        answer = ann.expect(5)
        ann.write(command)
        error = await answer
        assert_error_shape(error)
        assert (error["code"], error.get("field")) == (code, field), error
        assert (await ann.call("ping"))["head"] == 0


UNSAID = {
    "binary": b"\xc4\x01a",
    "extension": b"\xd4\x05a",
    "timestamp": b"\xd6\xff\0\0\0\0",
    "NaN": b"\xcb\x7f\xf8\0\0\0\0\0\0",
    "infinity": b"\xca\x7f\x80\0\0",
    "bad UTF-8": b"\xa1\xff",
    "key is a number": b"\x81\x01\x02",
}


@pytest.mark.parametrize("row", UNSAID)
async def test_i9_messagepack_that_json_cannot_say_is_refused(
    node: Node, name: Name, row: str
) -> None:
    """Inside `data`, however deep; in an unknown field it may be ignored like the field."""
    command = SEND | {"to": f"user:{name('bob')}", "data": {"a": ["HERE"]}}
    raw = messagepack.pack(command).replace(b"\xa4HERE", UNSAID[row])
    async with await Stranger.join(node, name("ann"), encoding="msgpack") as ann:
        ann.expect(5)
        ann.line.send(BINARY, raw)
        await ann.call("ping", id=77)
        errors = [message for message in ann.received if message["op"] == "error"]
        assert [error["code"] for error in errors] == ["bad_request"]
        assert (await ann.call("ping"))["head"] == 0


IDS = {"0": 0, "negative": -1, "2^32": 2**32, "text": "5", "float": 1.5, "list": [1], "bool": True}


@pytest.mark.parametrize("row", IDS)
async def test_i9_a_wrong_id_is_told_without_an_id(node: Node, name: Name, row: str) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        ann.write(SEND | {"id": IDS[row]})
        error = await ann.push("error")
        assert (error["code"], error["field"], error["for"]) == ("bad_request", "id", "send")


async def test_an_open_id_is_not_used_twice(node: Node, name: Name) -> None:
    """Both are answered, the second perhaps by an error: never silence."""
    line = await open_line(node, name("ann"))
    commands = [SEND | {"key": key(), "to": f"user:{name('bob')}"} for _ in range(2)]
    line.send(TEXT, json.dumps(commands).encode())
    answers = [json.loads((await line.frame()).payload) for _ in commands]
    assert [answer["id"] for answer in answers] == [5, 5]
    told = sorted(answer["op"] for answer in answers)
    assert told in (["error", "sent"], ["sent", "sent"])
    line.abort()


async def test_unknown_fields_are_ignored(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        sent = await ann.send(f"user:{name('bob')}", "x", key(), colour="red", deep=[{"a": 1}])
        assert sent["op"] == "sent"


async def test_the_same_member_twice_never_kills(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        answer = ann.expect(3)
        ann.line.send(TEXT, b'{"op":"ping","op":"ping","id":3,"id":3}')
        assert (await answer)["op"] in ("pong", "error")


async def test_i9_ten_bad_messages_in_a_minute_are_4501(node: Node, name: Name) -> None:
    ann = await Stranger.join(node, name("ann"))
    for _ in range(12):
        ann.line.send(TEXT, b"nonsense")
    await ann.expect_closed(4501)
    errors = [message for message in ann.received if message["op"] == "error"]
    assert 9 <= len(errors) <= 12


async def test_nine_bad_messages_are_forgiven(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        for _ in range(9):
            ann.line.send(TEXT, b"nonsense")
        assert (await ann.call("ping"))["op"] == "pong"


# -- tokens -----------------------------------------------------------------------------------

NOW = int(time.time())
RSA = rsa.generate_private_key(65537, 2048)


def bad_tokens(user: str) -> dict[str, Any]:
    payload = {"sub": user, "exp": NOW + 3600}
    header = {"alg": "HS256", "typ": "JWT"}
    good = sign(header, payload)
    head, body, signature = good.split(".")
    return {
        "missing": None,
        "empty": "",
        "a number": 7,
        "no dots": "nonsense",
        "three empty parts": "..",
        "alg none": f"{segment({'alg': 'none'})}.{segment(payload)}.",
        "alg None": f"{segment({'alg': 'None'})}.{segment(payload)}.{signature}",
        "no signature": f"{head}.{body}.",
        "signature changed": f"{head}.{body}.{signature[:-3]}AAA",
        "body changed": f"{head}.{segment(payload | {'sub': 'eve'})}.{signature}",
        "other secret": sign(header, payload, "another-secret-0123456789-0123456789"),
        "header says HS512": sign({"alg": "HS512"}, payload),
        "really HS512": jwt.encode(payload, SECRET * 2, "HS512"),
        "RS256 under HS256": jwt.encode(payload, RSA, "RS256"),
        "unknown kid": sign(header | {"kid": "other"}, payload),
        "jku": sign(header | {"jku": "http://127.0.0.1:1/keys"}, payload, "not-the-secret" * 3),
        "x5u": sign(header | {"x5u": "http://127.0.0.1:1/keys"}, payload, "not-the-secret" * 3),
        "jwk": sign(header | {"jwk": {"kty": "oct", "k": "AA"}}, payload, "not-the-secret" * 3),
        "crit": sign(header | {"crit": ["x"], "x": 1}, payload),
        "expired": sign(header, payload | {"exp": NOW - 120}),
        "no exp": sign(header, {"sub": user}),
        "exp is text": sign(header, payload | {"exp": "tomorrow"}),
        "exp is NaN": sign(header, payload | {"exp": float("nan")}),
        "not yet valid": sign(header, payload | {"nbf": NOW + 86_400}),
        "no sub": sign(header, {"exp": NOW + 3600}),
        "sub is a number": sign(header, payload | {"sub": 7}),
        "sub is no id": sign(header, payload | {"sub": "a b"}),
        "sub is empty": sign(header, payload | {"sub": ""}),
        "sub too long": sign(header, payload | {"sub": "x" * 65}),
        "huge": sign(header, payload | {"x": "y" * 3500})[:4000],
        "payload is a list": f"{head}.WzFd.{signature}",
    }


@pytest.mark.parametrize("row", bad_tokens("someone"))
async def test_i9_a_bad_token_is_4500_with_one_text_for_all(
    node: Node, name: Name, row: str
) -> None:
    reasons = set()
    for value in (bad_tokens(name("ann"))[row], "nonsense"):
        ann = await Stranger.dial(node)
        fields = {} if value is None else {"token": value}
        answer = ann.ask("connect", id=1, device="phone", **fields)
        if row == "a number" and value == 7:
            assert (await answer)["field"] == "token"
            ann.cut()
            return
        end = await ann.expect_closed(4500)
        assert end.bye is not None
        reasons.add(end.bye["reason"])
        if row == "missing" and value is None:
            assert (await answer)["code"] == "unauthorized"
            continue
        with pytest.raises(Closed):
            await answer
    assert len(reasons) == 1, "the reason tells what was wrong"


@pytest.mark.parametrize("late", [0, 30, 55])
async def test_a_token_may_be_up_to_60_s_late(node: Node, name: Name, late: int) -> None:
    async with await Stranger.dial(node) as ann:
        told = await ann.connect(token=token(name("ann"), ttl=-late), device="phone")
        assert told["op"] == "connected"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_public_key_algorithms(
    start_node: Callable[..., Node], name: Name, algorithm: str
) -> None:
    private: Any = {
        "RS256": RSA,
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }[algorithm]
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
    env = {"HIVEWIRE_AUTH__ALGORITHM": algorithm, "HIVEWIRE_AUTH__PUBLIC_KEY": public}
    node = start_node(env=env | {"HIVEWIRE_AUTH__SECRET": None})
    payload = {"sub": name("ann"), "exp": NOW + 3600}
    async with await Stranger.dial(node) as ann:
        told = await ann.connect(token=jwt.encode(payload, private, algorithm), device="phone")
        assert told["user"] == name("ann")
    forged = sign({"alg": "HS256", "typ": "JWT"}, payload, public)
    for bad in (forged, token(name("ann"))):
        eve = await Stranger.dial(node)
        eve.tell("connect", id=1, device="phone", token=bad)
        await eve.expect_closed(4500)


async def test_issuer_and_audience(start_node: Callable[..., Node], name: Name) -> None:
    env = {"HIVEWIRE_AUTH__ISSUER": "https://id.example", "HIVEWIRE_AUTH__AUDIENCE": "chat"}
    node = start_node(env=env)
    right = {"iss": "https://id.example", "aud": "chat"}
    async with await Stranger.dial(node) as ann:
        await ann.connect(token=token(name("ann"), **right), device="phone")
    for wrong in ({}, right | {"iss": "https://evil.example"}, right | {"aud": "mail"}):
        eve = await Stranger.dial(node)
        eve.tell("connect", id=1, device="phone", token=token(name("ann"), **wrong))
        await eve.expect_closed(4500)


# -- too fast ---------------------------------------------------------------------------------


async def test_i8_too_many_sends_a_second_are_told_when_to_come_again(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env={"HIVEWIRE_LIMITS__SENDS_PER_SECOND": "20"})
    async with await Stranger.join(node, name("ann")) as ann:
        assert ann.connected["limits"]["sends_per_second"] == 20
        to, keys = f"user:{name('bob')}", [key() for _ in range(100)]
        answers = []
        for at in range(0, 100, 20):
            asked = [ann.ask("send", to=to, key=k, text="x") for k in keys[at : at + 20]]
            answers += await asyncio.gather(*asked)
        refused = [answer for answer in answers if answer["op"] == "error"]
        assert 20 <= len(refused) <= 45, "a burst of 60 and what 20 a second give"
        for error in refused:
            assert_error_shape(error)
            assert error["code"] == "rate_limited"
        await asyncio.sleep(max(error["retry_after_ms"] for error in refused) / 1000)
        k = next(k for k, answer in zip(keys, answers, strict=True) if answer["op"] == "error")
        assert (await ann.send(to, "x", k))["dup"] is False, "its key was not used up"


async def test_i8_the_user_limit_counts_all_devices(
    start_node: Callable[..., Node], name: Name
) -> None:
    env = {"HIVEWIRE_LIMITS__SENDS_PER_SECOND_USER": "10"}
    node = start_node(env=env | {"HIVEWIRE_LIMITS__SENDS_BURST_USER": "30"})
    lines = [await Stranger.join(node, name("ann"), f"d{at}") for at in range(3)]
    codes: list[str] = []
    for _ in range(40):
        asked = [line.ask("send", to=f"user:{name('b')}", key=key(), text="x") for line in lines]
        codes += [answer.get("code", "sent") for answer in await asyncio.gather(*asked)]
        if "rate_limited" in codes:
            break
    assert set(codes) == {"sent", "rate_limited"}
    for line in lines:
        await line.leave()


async def test_i8_more_than_ten_devices_are_4504(node: Node, name: Name) -> None:
    lines = [await Stranger.join(node, name("ann"), f"d{at}") for at in range(10)]
    late = await Stranger.dial(node)
    late.tell("connect", id=1, token=token(name("ann")), device="late")
    await late.expect_closed(4504)
    for line in lines:
        assert (await line.call("ping"))["op"] == "pong"
        await line.leave()
