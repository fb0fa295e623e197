from __future__ import annotations

from hivewire.core.limits import LISTED_MEMBERS
from hivewire.handlers.groups.describe import is_member, list_members
from hivewire.store import keys
from tests.unit.handlers.team import Team


def test_members_are_listed_from_behind_one() -> None:
    team = Team(members=["a", "aa", "b"])
    store, prefix = team.driver.store, keys.prefix("group:g")

    def listed(after: str | None, limit: int) -> list[str]:
        return [member["user"] for member in list_members(store, prefix, after, limit)]

    assert listed(None, 10) == ["a", "aa", "ann", "b"]
    assert listed("a", 2) == ["aa", "ann"]
    assert listed("b", 10) == []


def test_who_is_in_it() -> None:
    team = Team()
    store, prefix = team.driver.store, keys.prefix("group:g")
    assert (is_member(store, prefix, "bob"), is_member(store, prefix, "cat")) == (True, False)


def test_I8_of_a_large_one_so_many_are_listed_and_all_are_counted() -> None:
    team = Team("channel", members=[f"u{number:03}" for number in range(500)])
    assert (len(team.made["members"]), team.made["count"]) == (LISTED_MEMBERS, 501)


def test_who_has_left_is_told_nothing_by_a_resend() -> None:
    team = Team(name="Secret")
    team.asks(team.ann, "group.update", conv="group:g", user="bob", role="admin")
    team.asks(team.bob, "group.add", conv="group:g", key="key-once", members=["cat"])
    team.asks(team.bob, "group.leave", conv="group:g")
    again = team.bob.asks("group.add", conv="group:g", key="key-once", members=["cat"])
    assert (again["dup"], again["name"], again["members"], again["count"], again["head"]) == (
        *(True, "", [], 0, 0),
    )
