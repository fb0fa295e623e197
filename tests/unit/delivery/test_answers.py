from __future__ import annotations

import msgspec
import pytest

from hivewire.core.entries import ChangeEntry, Duplicate, SendEntry
from hivewire.delivery.answers import JSON, MSGPACK, encode, sent, sent_fields
from hivewire.store import keys

DECODE = {JSON: msgspec.json.decode, MSGPACK: msgspec.msgpack.decode}
SEND = SendEntry("ann", "phone", "group:a.b~@+=/-", "key-0001", bytes(16), 7, 9, 3, (("ann", 3),))
CHANGE = ChangeEntry(2, "ann", "phone", "group:g", "key-0001", bytes(16), 7, 3, 9, (), ())
KNOWN = Duplicate("direct:ann,bob", 2**53 - 1, 7, 1_800_000_000_000, keys.OP_SEND)


@pytest.mark.parametrize("places", [SEND, CHANGE, KNOWN])
@pytest.mark.parametrize("dup", [False, True])
def test_sent_says_the_same_in_both_encodings(
    places: SendEntry | ChangeEntry | Duplicate, dup: bool
) -> None:
    first, second = (
        DECODE[encoding](sent(places, 2**32 - 1, encoding, dup=dup)) for encoding in (JSON, MSGPACK)
    )
    assert first == second
    assert list(first) == list(second) == ["op", "id", "conv", "n", "seq", "ts", "dup"]
    assert first == {"op": "sent", "id": 2**32 - 1, **sent_fields(places, dup=dup)}


@pytest.mark.parametrize("encoding", [JSON, MSGPACK])
def test_in_a_channel_there_is_no_seq(encoding: int) -> None:
    in_channel = Duplicate("channel:c", 7, 0, 9, keys.OP_SEND)
    assert DECODE[encoding](sent(in_channel, 1, encoding, dup=False)) == {
        "op": "sent",
        "id": 1,
        "conv": "channel:c",
        "n": 7,
        "ts": 9,
        "dup": False,
    }


def test_json_is_compact_as_the_encoder_has_it() -> None:
    answer = {"op": "sent", "id": 5, **sent_fields(KNOWN, dup=True)}
    assert sent(KNOWN, 5, JSON, dup=True) == encode(JSON, answer)


def test_an_object_begins_with_its_op_in_both_encodings() -> None:
    answer = {"op": "ok", "id": 1}
    assert encode(JSON, answer) == b'{"op":"ok","id":1}'
    assert encode(MSGPACK, answer) == b"\x82\xa2op\xa2ok\xa2id\x01"
