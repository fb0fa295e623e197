from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivewire.core.limits import LISTED_MEMBERS
from tests.unit.handlers.team import Team

if TYPE_CHECKING:
    from tests.unit.handlers.driver import Line


def listed(line: Line, conv: str, **asked: object) -> list[list[str]]:
    """All pages."""
    pages: list[list[str]] = []
    after = None
    while True:
        answer = line.asks("group.members", conv=conv, after=after, **asked)
        pages.append([item["user"] for item in answer["items"]])
        after = answer["next"]
        if after is None:
            return pages


@pytest.mark.parametrize("kind", ["group", "channel"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
def test_page_by_page_everybody_is_listed_once_in_byte_order(kind: str, limit: int) -> None:
    names = ["Z", "a", "aa", "a-b", "b", "bob"]
    team = Team(kind, members=names)
    pages = listed(team.bob, team.conv, limit=limit)
    assert [name for page in pages for name in page] == sorted([*names, "ann"])
    assert all(len(page) == limit for page in pages[:-1])


def test_a_limit_is_clamped() -> None:
    team = Team("channel", members=[f"u{number:04}" for number in range(500)])
    team.asks(team.ann, "group.add", conv=team.conv, members=["bob", "cat"])
    pages = listed(team.bob, team.conv, limit=10_000)
    assert [len(page) for page in pages] == [LISTED_MEMBERS, 3]


def test_after_need_not_be_a_member() -> None:
    team = Team()
    answer = team.ann.asks("group.members", conv="group:g", after="app")
    assert answer["items"] == [{"user": "bob", "role": "member"}]


@pytest.mark.parametrize("conv", ["group:g", "group:none", "direct:ann,bob"])
def test_a_stranger_learns_nothing(conv: str) -> None:
    answer = Team().cat.asks("group.members", conv=conv)
    assert (answer["code"], answer["field"]) == ("forbidden", "conv")
