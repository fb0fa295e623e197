from __future__ import annotations

from typing import Any

import pytest

from hivewire.delivery import JSON, MSGPACK

from .driver import Driver
from .team import Team


def listed(answer: dict[str, Any]) -> list[str]:
    assert answer["op"] == "conversations", answer
    return [item["conv"] for item in answer["items"]]


def test_the_newest_comes_first() -> None:
    team = Team()
    for other in ("cat", "dan"):
        team.driver.clock.ms += 1_000
        team.asks(team.ann, "send", to=f"user:{other}", text="hi")
    assert listed(team.ann.asks("conversations")) == [
        *("direct:ann,dan", "direct:ann,cat", "group:g"),
    ]
    team.driver.clock.ms += 1_000
    team.sends(team.bob)
    assert listed(team.ann.asks("conversations"))[0] == "group:g"


@pytest.mark.parametrize("encoding", [JSON, MSGPACK])
def test_an_item_says_what_a_client_shows(encoding: int) -> None:
    team = Team(name="Team", members=["bob", "cat"])
    team.sends(team.ann, "first")
    team.sends(team.bob, "second")
    team.bob.asks("read", conv="group:g", n=3)
    bob = team.driver.open("bob", "tablet", encoding=encoding)
    (item,) = bob.asks("conversations", messages=1)["items"]
    last = item.pop("last")
    assert item == {
        "conv": "group:g",
        "kind": "group",
        "name": "Team",
        "head": 4,
        "read": 3,
        "unread": 0,
        "peers": {"ann": {"delivered": 2, "read": 2}, "cat": {"delivered": 2, "read": 2}},
    }
    assert [(message["n"], message["text"]) for message in last] == [(4, "second")]


def test_page_by_page_each_is_listed_once() -> None:
    driver = Driver(limits={"sends_per_second": 0, "sends_per_second_user": 0})
    ann = driver.open("ann")
    for number in range(7):
        ann.asks("send", to=f"user:u{number}", key=f"key-000{number}", text="hi")
    found: list[str] = []
    before = None
    while True:
        answer = ann.asks("conversations", limit=3, before=before)
        found += listed(answer)
        before = answer["next"]
        if before is None:
            break
    # All were made in the same millisecond.
    assert found == [f"direct:ann,u{number}" for number in reversed(range(7))]


@pytest.mark.parametrize("before", ["", "x", "12", "x.group:g", "٣x.group:g"])
def test_before_is_what_an_earlier_answer_gave(before: str) -> None:
    answer = Team().ann.asks("conversations", before=before)
    if answer["op"] == "error":
        assert (answer["code"], answer["field"]) == ("bad_request", "before")
    else:
        assert answer["items"] == []


def test_who_is_in_none_has_none() -> None:
    answer = Team().cat.asks("conversations")
    assert (answer["items"], answer["next"]) == ([], None)


def test_what_one_has_left_is_left_out() -> None:
    team = Team()
    team.asks(team.bob, "group.leave", conv="group:g")
    assert listed(team.bob.asks("conversations")) == []


def test_a_channel_has_no_peers() -> None:
    (item,) = Team("channel").ann.asks("conversations")["items"]
    assert (item["kind"], "peers" in item) == ("channel", False)
