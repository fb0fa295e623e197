"""Lists, history, marks and channels, as commands of the protocol."""

from __future__ import annotations

import pytest

from tests.unit.client.verbs.asked import Asked

pytestmark = pytest.mark.unit


async def test_conversations_are_asked_for_page_by_page() -> None:
    asked = Asked(items=[], next="x")
    page = await asked.conversations()
    assert (page.items, page.next) == ([], "x")
    await asked.conversations(limit=10, before="x", messages=3)
    assert asked.asked == [
        {"op": "conversations"},
        {"op": "conversations", "limit": 10, "before": "x", "messages": 3},
    ]


async def test_history_goes_both_ways() -> None:
    item = {"type": "message", "n": 4, "from": "b", "ts": 9, "text": "hi"}
    asked = Asked(items=[item], done=True)
    history = await asked.history("c")
    assert ([one.n for one in history.items], history.done) == ([4], True)
    await asked.history("c", before=9, limit=5)
    await asked.history("c", after=0)
    assert asked.asked == [
        {"op": "history", "conv": "c"},
        {"op": "history", "conv": "c", "before": 9, "limit": 5},
        {"op": "history", "conv": "c", "after": 0},
    ]


async def test_reading_is_asked_typing_only_said() -> None:
    asked = Asked()
    await asked.read("c", 4)
    asked.typing("c")
    asked.typing("c", "stop")
    assert asked.asked == [{"op": "read", "conv": "c", "n": 4}]
    assert [command["state"] for command in asked.said] == ["start", "stop"]


async def test_an_opened_channel_stands_until_it_is_closed() -> None:
    asked = Asked(head=12)
    assert await asked.open_channel("channel:c") == 12
    assert asked.standing.commands() == [{"op": "open", "conv": "channel:c"}]
    await asked.close_channel("channel:c")
    assert asked.standing.commands() == []
    assert [command["op"] for command in asked.asked] == ["open", "close"]
