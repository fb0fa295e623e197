"""What hooks are given: the words of the wire as attributes."""

from __future__ import annotations

import pytest

from hivewire.core.limits import POSITION
from hivewire.hooks import Event, NotSent, Refuse
from hivewire.hooks.values import REFUSALS
from tests.e2e.stranger import ERROR_CODES


def test_an_event_shows_the_fields_of_the_wire() -> None:
    body = {
        "type": "message",
        "conv": "direct:ann,bob",
        "n": POSITION,
        "from": "ann",
        "key": "k-0000001",
        "ts": 5,
        "text": "hi",
        "mentions": ["bob"],
        "reply_to": 3,
        "media": ["m1"],
    }
    event = Event.of(body)
    assert (event.type, event.conv, event.n) == ("message", "direct:ann,bob", POSITION)
    assert (event.sender, event.key, event.ts, event.text) == ("ann", "k-0000001", 5, "hi")
    assert (event.mentions, event.reply_to, event.media) == (["bob"], 3, ["m1"])
    assert (event.data, event.target) == (None, None)
    assert event.body == body


def test_an_event_without_a_body_has_empty_lists() -> None:
    event = Event.of(
        {"type": "recall", "conv": "group:g", "n": 2, "from": "a", "ts": 1, "target": 1}
    )
    assert (event.text, event.media, event.mentions, event.target) == (None, [], [], 1)


def test_a_refusal_has_a_code_of_the_protocol() -> None:
    assert REFUSALS == ERROR_CODES
    refusal = Refuse("why")
    assert (refusal.reason, refusal.code, refusal.retryable) == ("why", "forbidden", False)
    with pytest.raises(ValueError, match="no error code"):
        Refuse("why", code="because")


def test_what_was_not_sent_says_why() -> None:
    problem = NotSent("forbidden", "not yours", field="to")
    assert str(problem) == "forbidden: not yours"
    assert (problem.code, problem.reason, problem.field) == ("forbidden", "not yours", "to")
