"""Presence and blocks, as commands of the protocol."""

from __future__ import annotations

import pytest

from hivewire.client.pushes import PresenceChange
from tests.unit.client.verbs.asked import Asked

pytestmark = pytest.mark.unit


async def test_watching_gives_the_present_state_and_stands() -> None:
    changes = [{"user": "b", "state": "offline", "last_seen": 5}]
    asked = Asked(changes=changes)
    assert await asked.watch(("b",)) == [PresenceChange("b", "offline", 5)]
    await asked.watch(["c"])
    await asked.unwatch(("b",))
    assert asked.standing.commands() == [{"op": "watch", "users": ["c"]}]
    assert [command["users"] for command in asked.asked] == [["b"], ["c"], ["b"]]


async def test_a_status_stands() -> None:
    asked = Asked()
    await asked.status("away")
    assert asked.asked == asked.standing.commands() == [{"op": "status", "state": "away"}]


async def test_block_and_unblock() -> None:
    asked = Asked()
    await asked.block("b")
    await asked.unblock("b")
    assert asked.asked == [{"op": "block", "user": "b"}, {"op": "unblock", "user": "b"}]
