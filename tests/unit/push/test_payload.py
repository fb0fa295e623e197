from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.config.push import Push as Settings
from hivewire.push.outlook import Job
from hivewire.push.payload import body_of, cut, encode, payload_of
from hivewire.store.pushes import CLEAR, MESSAGE, Push
from tests.unit.push.node import webhook

pytestmark = pytest.mark.unit
BODY = body_of(b'{"type":"message","conv":"c","n":7,"from":"ann","key":"k","ts":5,"text":"hello"}')


def told(what: int = MESSAGE, **settings: Any) -> dict[str, Any]:
    job = Job("bob", "phone", 3, Push(what, 0, 0, 5, "direct:ann,bob", 7), webhook())
    return payload_of(job, BODY, "e", Settings(**settings))


def test_a_message_says_where_it_is_and_what() -> None:
    assert told() == {
        "type": "message",
        "id": "e:bob:phone:3:message",
        "user": "bob",
        "device": "phone",
        "conv": "direct:ann,bob",
        "n": 7,
        "seq": 3,
        "from": "ann",
        "ts": 5,
        "text": "hello",
    }


def test_without_text_it_says_where_it_is() -> None:
    assert "text" not in told(text=False)
    assert b"hello" not in encode(told(text=False))


def test_long_text_is_cut() -> None:
    assert {"text": "hel", "cut": True}.items() <= told(text_bytes="3").items()


def test_a_clear_says_up_to_where() -> None:
    clear = told(CLEAR)
    assert clear["type"] == "clear"
    assert {"seq", "from", "text"}.isdisjoint(clear)


@given(st.text(), st.integers(0, 20))
def test_what_is_cut_is_whole_characters(text: str, size: int) -> None:
    short = cut(text, size)
    assert text.startswith(short)
    assert len(short.encode()) <= size
