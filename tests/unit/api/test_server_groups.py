"""Group commands of the backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
GROUPS = "/api/v1/server/groups"


async def asks(site: Site, **body: Any) -> Any:
    return await site.post(None, GROUPS, **body)


async def refused(site: Site, status: int, **body: Any) -> dict[str, Any]:
    return await site.refused(None, "POST", GROUPS, status, json=body)


def test_groups_are_commanded_with_their_users_rights(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        make = {"from": "ann", "op": "group.create", "key": "make-team", "group": "team"}
        made = await asks(site, **make, members=["bob"], name="Team")
        assert (made["op"], made["conv"], made["count"]) == ("group", "group:team", 2)
        add = {"op": "group.add", "conv": "group:team", "key": "add-eve-1", "members": ["eve"]}
        assert (await refused(site, 403, **add, **{"from": "bob"}))["code"]
        assert (await asks(site, **add, **{"from": "ann"}))["count"] == 3
        asked = {"from": "bob", "op": "group.members", "conv": "group:team", "limit": 1}
        page = await asks(site, **asked)
        assert page["items"] == [{"user": "ann", "role": "owner"}]
        assert page["next"] == "ann"
        leave = {"from": "eve", "op": "group.leave", "conv": "group:team", "key": "eve-leaves"}
        assert (await asks(site, **leave)) == {"op": "ok"}
        assert (await refused(site, 400, **{"from": "ann", "op": "send"}))["field"] == "op"
        lacking = {"from": "ann", "op": "group.add", "conv": "group:team"}
        assert (await refused(site, 400, **lacking))["field"] == "key"

    story(tmp_path, tell)
