"""What ids and answers look like."""

from __future__ import annotations

import msgspec
import pytest

from hivewire.api.shapes import DeviceId, Key, Problem, Sent, UserId, Wait
from hivewire.core.names import is_key, is_name

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text",
    ["ann", "a@b.c/d=e+f~g-h_", "x" * 64, "x" * 65, "", "no one", "ä", "a:b", "a,b", "12345678"],
)
def test_the_patterns_of_the_document_are_those_of_the_node(text: str) -> None:
    for kind, judge in ((UserId, is_name), (DeviceId, is_name), (Key, is_key)):
        try:
            msgspec.convert(text, kind)
        except msgspec.ValidationError:
            assert not judge(text)
        else:
            assert judge(text)


def test_a_wait_is_seconds_and_not_below_none() -> None:
    assert msgspec.convert("2.5", Wait, strict=False) == 2.5
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert("-1", Wait, strict=False)


def test_what_is_not_there_is_left_out() -> None:
    sent = Sent("sent", "channel:c", 1, 5, dup=False)
    assert "seq" not in msgspec.to_builtins(sent)
    assert set(msgspec.to_builtins(Problem("conflict", "no", retryable=False))) == {
        *("code", "message", "retryable")
    }
