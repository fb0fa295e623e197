"""A line about a hook says whose message or connection it was, and nothing of its content."""

from __future__ import annotations

import pytest

from hivewire.delivery import JSON, Caller
from hivewire.hooks.concerning import concerning
from hivewire.hooks.values import Credentials, Event, Message, Session

pytestmark = pytest.mark.unit


def test_everything_that_a_hook_is_given() -> None:
    caller = Caller(0x1A2B, "ann", "phone", JSON, "a token")
    who = {"connection": "1a2b", "user": "ann", "device": "phone"}
    assert concerning((None, caller)) == who
    assert concerning((Session("ann", "phone", "1a2b"), 4503)) == who
    message = Message("ann", "phone", "group:g", "key-0001", "a secret")
    assert concerning((message, caller)) == who | {"conv": "group:g", "key": "key-0001"}
    body = {"op": "event", "type": "message", "conv": "group:g", "n": 7, "from": "ann", "ts": 1}
    event = Event.of(body | {"key": "key-0001", "text": "a secret"})
    place = {"conv": "group:g", "n": 7, "key": "key-0001", "user": "ann"}
    assert concerning((event, "ben")) == place
    assert concerning((Credentials("a token", "phone"),)) == {}
