"""Answers become typed results, and what later versions add does no harm."""

from __future__ import annotations

import msgspec
import pytest

from hivewire.client.results import (
    Conversations,
    Group,
    Heartbeat,
    History,
    Marks,
    Member,
    Outcome,
    Recipient,
)

pytestmark = pytest.mark.unit

ITEM = {"type": "message", "n": 4, "from": "b", "ts": 9, "text": "hi"}


def test_a_page_of_conversations() -> None:
    one = {"conv": "direct:a,b", "kind": "direct", "head": 4, "read": 2, "unread": 2}
    more = {"peers": {"b": {"delivered": 4, "read": 3}}, "last": [ITEM], "mood": "good"}
    bare = one | {"conv": "group:g", "kind": "group", "name": "team"}
    page = Conversations.of({"op": "conversations", "items": [one | more, bare], "next": "x"})
    direct, group = page.items
    assert (direct.name, direct.unread, direct.peers) == ("", 2, {"b": Marks(4, 3)})
    assert [(item.conv, item.n) for item in direct.last] == [("direct:a,b", 4)]
    assert (group.name, group.peers, group.last, page.next) == ("team", {}, [], "x")


def test_history_knows_its_conversation() -> None:
    history = History.of({"op": "history", "items": [ITEM], "done": False}, "direct:a,b")
    assert [(item.conv, item.n, item.sender) for item in history.items] == [("direct:a,b", 4, "b")]
    assert not history.done


def test_a_group() -> None:
    body = {"op": "group", "id": 3, "conv": "group:g", "kind": "group", "name": "team"}
    more = {"history": "all", "members": [{"user": "a", "role": "owner"}], "count": 1, "head": 2}
    group = msgspec.convert(body | more | {"dup": True}, Group)
    assert (group.members, group.count, group.dup) == ([Member("a", "owner")], 1, True)


def test_an_outcome() -> None:
    sent = {"conv": "direct:a,b", "n": 4, "seq": 7, "ts": 9}
    recipients = [{"user": "b", "delivered": True, "read": False}]
    outcome = Outcome.of({"op": "outcome", "key": "k", "sent": sent, "recipients": recipients})
    assert (outcome.sent.n, outcome.sent.seq, outcome.sent.key) == (4, 7, "k")
    assert outcome.recipients == [Recipient("b", delivered=True, read=False)]


def test_a_heartbeat_names_its_driver() -> None:
    body = {"op": "heartbeat", "interval_ms": 15_000, "timeout_ms": 10_000, "from": "client"}
    granted = msgspec.convert(body, Heartbeat)
    assert (granted.interval_ms, granted.driver) == (15_000, "client")
