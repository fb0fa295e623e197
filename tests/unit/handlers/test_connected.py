from __future__ import annotations

from typing import Any

import pytest

from hivewire.delivery import JSON, MSGPACK

from .team import Team


def arrived(team: Team, encoding: int = JSON, **connect: Any) -> dict[str, Any]:
    line = team.driver.stranger(encoding)
    connect = {"token": team.driver.token("bob"), "device": "tablet"} | connect
    return line.asks("connect", **connect)


def test_both_encodings_say_the_same_in_the_same_order() -> None:
    team = Team()
    team.sends(team.ann)
    wish = {"cursor": 0, "sync": 2, "recent": {}, "heartbeat": {"from": "client"}}
    first, second = (arrived(team, encoding, **wish) for encoding in (JSON, MSGPACK))
    # The second one is no new device any more, on another connection.
    own = ("new_device", "session", "id")
    assert list(first) == list(second)
    assert [{k: v for k, v in one.items() if k not in own} for one in (first, second)] == [
        {k: v for k, v in first.items() if k not in own}
    ] * 2
    assert list(first) == [
        *("op", "id", "user", "device", "new_device", "reset", "session", "epoch", "head"),
        *("cursor", "trimmed_before", "heartbeat", "limits", "server_time", "token_expires"),
        *("ticket", "node", "page", "recent"),
    ]
    assert first["heartbeat"]["from"] == "client"


def test_what_was_not_asked_for_is_not_there() -> None:
    answer = arrived(Team())
    assert not {"page", "recent"} & answer.keys()


@pytest.mark.parametrize("encoding", [JSON, MSGPACK])
def test_recent_is_what_conversations_tells(encoding: int) -> None:
    team = Team()
    for number in range(3):
        team.sends(team.ann, f"text {number}")
    answer = arrived(team, encoding, recent={"conversations": 1, "messages": 2})
    asked = team.bob.asks("conversations", limit=1, messages=2)
    assert answer["recent"] == {"items": asked["items"], "next": asked["next"]}
    (item,) = answer["recent"]["items"]
    assert (item["conv"], item["head"], item["unread"]) == ("group:g", 5, 3)
    assert [message["text"] for message in item["last"]] == ["text 1", "text 2"]


def test_more_than_the_bound_is_clamped() -> None:
    team = Team()
    answer = arrived(team, recent={"conversations": 10_000, "messages": 10_000})
    assert [item["conv"] for item in answer["recent"]["items"]] == ["group:g"]
