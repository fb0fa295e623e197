from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.commands import JSON, MSGPACK, Send
from hivewire.core.decode import decode_frame
from hivewire.core.digest import DIGEST_BYTES, body_digest


def digest(text: str | None = None, **fields: Any) -> bytes:
    return body_digest(Send(1, "user:bob", "01JD8ZK3V6", text, **fields))


def test_spelling_does_not_matter() -> None:
    assert digest(data={"a": 1, "b": [2.0, -0.0]}) == digest(data={"b": [2, 0], "a": 1.0})
    assert digest("hi") == digest("hi", media=[], mentions=[])
    assert digest("hi", mentions=["a"]) == digest("hi", mentions=["a"], media=[])


def test_values_do() -> None:
    different = [
        digest("hi"),
        digest("ho"),
        digest("hi", data={}),
        digest(data={}),
        digest("", data={}),
        digest("hi", reply_to=1),
        digest("hi", reply_to=2),
        digest("hi", mentions=["a"]),
        digest("hi", media=["a"]),
        digest("hi", mentions=["a", "b"]),
        digest("hi", mentions=["b", "a"]),
        digest(data={"a": 1}),
        digest(data={"a": True}),
        digest(data={"a": "1"}),
        digest(data={"a": None}),
        digest(data={"a": 1.5}),
        digest(data={"a": [1]}),
        digest(data={"a": {}}),
        digest(data={"a": []}),
    ]
    assert len(set(different)) == len(different)
    assert {len(one) for one in different} == {DIGEST_BYTES}


@given(
    st.dictionaries(
        st.text(max_size=5), st.integers(-9, 9) | st.floats(-9, 9) | st.text(), max_size=5
    )
)
def test_encodings_do_not_matter(data: dict[str, Any]) -> None:
    command = {"op": "send", "id": 1, "to": "user:bob", "key": "01JD8ZK3V6", "data": data}
    reversed_data = {**command, "data": dict(reversed(data.items()))}
    (text,) = decode_frame(msgspec.json.encode(command), JSON)
    (packed,) = decode_frame(msgspec.msgpack.encode(reversed_data), MSGPACK)
    assert isinstance(text, Send)
    assert isinstance(packed, Send)
    assert body_digest(text) == body_digest(packed)
