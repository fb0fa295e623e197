"""Groups and channels, as commands of the protocol."""

from __future__ import annotations

import pytest

from hivewire.client.results import Member
from tests.unit.client.verbs.asked import Asked

pytestmark = pytest.mark.unit

KEY = "key-00001"
GROUP = {"op": "group", "conv": "group:g", "kind": "group", "name": "team", "history": "all"}
FULL = GROUP | {"members": [{"user": "a", "role": "owner"}], "count": 1, "head": 2, "dup": False}


async def test_a_group_is_made() -> None:
    asked = Asked(**FULL)
    group = await asked.group_create(name="team", members=["b"], group="g", key=KEY)
    assert group.members == [Member("a", "owner")]
    await asked.group_create(kind="channel", history="joined", key=KEY)
    common = {"op": "group.create", "key": KEY}
    assert asked.asked == [
        common
        | {"kind": "group", "name": "team", "members": ["b"], "history": "all", "group": "g"},
        common | {"kind": "channel", "name": "", "members": [], "history": "joined"},
    ]


async def test_members_come_and_go() -> None:
    asked = Asked(**FULL)
    await asked.group_add("group:g", ("b", "c"), key=KEY)
    await asked.group_remove("group:g", ["b"], key=KEY)
    await asked.group_leave("group:g", key=KEY)
    target = {"conv": "group:g", "key": KEY}
    assert asked.asked == [
        {"op": "group.add", **target, "members": ["b", "c"]},
        {"op": "group.remove", **target, "members": ["b"]},
        {"op": "group.leave", **target},
    ]


async def test_a_group_is_renamed_and_roles_are_given() -> None:
    asked = Asked(**FULL)
    await asked.group_rename("group:g", "crew", key=KEY)
    await asked.group_role("group:g", "b", "admin", key=KEY)
    target = {"op": "group.update", "conv": "group:g", "key": KEY}
    assert asked.asked == [target | {"name": "crew"}, target | {"user": "b", "role": "admin"}]


async def test_a_group_is_looked_at() -> None:
    asked = Asked(**FULL)
    assert (await asked.group_info("group:g")).name == "team"
    asked.answer = {"op": "members", "items": [{"user": "b", "role": "member"}], "next": "b"}
    page = await asked.group_members("group:g", after="a", limit=1)
    assert (page.items, page.next) == ([Member("b", "member")], "b")
    assert asked.asked == [
        {"op": "group.info", "conv": "group:g"},
        {"op": "group.members", "conv": "group:g", "after": "a", "limit": 1},
    ]


async def test_every_change_has_a_key_of_its_own() -> None:
    asked = Asked(**FULL)
    await asked.group_create()
    await asked.group_add("group:g", ["b"])
    await asked.group_remove("group:g", ["b"])
    await asked.group_rename("group:g", "x")
    await asked.group_role("group:g", "b", "owner")
    await asked.group_leave("group:g")
    assert len({command["key"] for command in asked.asked}) == 6
