"""Who is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivewire.api import admin

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
CONNECTIONS = "/api/v1/server/connections"


def test_users_are_found_by_a_part_of_their_id_the_very_one_first() -> None:
    users = ["annika", "BEN", "ann", "johann"]
    assert admin.matching(users, "ann") == ["ann", "annika", "johann"]
    assert admin.matching(users, "be") == ["BEN"]
    assert admin.matching(users, "") == ["BEN", "ann", "annika", "johann"]


def test_users_are_listed_with_their_devices(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        context = site.node.context
        context.users = lambda: ["cat", "ann", "ben"]
        context.connections = lambda: 5
        told = await site.get(None, CONNECTIONS, limit=2)
        assert [one["user"] for one in told["items"]] == ["ann", "ben"]
        assert (told["users"], told["connections"], told["whole_ids_only"]) == (3, 5, False)
        await site.refused("ann", "GET", CONNECTIONS, 401)

    story(tmp_path, tell)


def test_in_a_crowd_only_a_whole_id_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "WALKED", 4)

    async def tell(site: Site) -> None:
        site.node.context.connections = lambda: 5
        site.node.context.services.devices = lambda user: ["web"] if user == "ann" else []
        site.node.context.sessions = lambda user: [(0x1A2B, "web")] if user == "ann" else []
        told = await site.get(None, CONNECTIONS, search="ann")
        line = {"device": "web", "connection": "1a2b"}
        assert told["items"] == [{"user": "ann", "devices": ["web"], "connections": [line]}]
        told = await site.get(None, CONNECTIONS, search="an")
        assert (told["items"], told["whole_ids_only"]) == ([], True)

    story(tmp_path, tell)
