from __future__ import annotations

from hivewire.delivery import JSON, MSGPACK
from hivewire.handlers import channels

from .team import Team, subscribed


def test_who_connects_follows_the_heads_of_all_his_channels() -> None:
    team = Team("channel")
    team.asks(team.ann, "group.create", kind="channel", group="h", members=["bob"])
    team.asks(team.ann, "group.create", group="i", members=["bob"])
    line = team.driver.stranger()
    line.says("connect", token=team.driver.token("bob"), device="tablet")
    told = team.driver.settle()
    kinds = [one.kind for one in told]
    assert subscribed(told) == [
        ("subscribe", line.conn, "heads:channel:g"),
        ("subscribe", line.conn, "heads:channel:h"),
    ]
    assert kinds.index("connected") < kinds.index("subscribe")


def test_who_is_in_none_reads_nothing() -> None:
    team = Team("channel")
    team.asks(team.bob, "group.leave", conv=team.conv)
    scans: list[object] = []
    team.driver.store.scan = lambda *asked: scans.append(asked) or []  # type: ignore[func-returns-value,method-assign]
    for user in ("bob", "cat"):
        channels.follow(team.driver.view.user(user), 99, team.driver.services)
    assert (scans, team.driver.delivery.now) == ([], [])


def test_what_is_joined_while_connecting_is_followed_once_it_is_durable() -> None:
    team = Team("channel", members=[])
    line = team.driver.stranger()
    line.says("connect", token=team.driver.token("bob"), device="tablet")
    team.ann.says("group.add", conv=team.conv, key=team.key(), members=["bob"])
    told = team.driver.settle()
    assert [one.topic for one in told if one.kind in ("subscribe", "subscribe_user")] != []


def test_who_missed_some_is_told_the_newest_heads() -> None:
    team = Team("channel")
    team.sends(team.ann)
    team.bob.encoding = MSGPACK
    topics = ["open:channel:g", "heads:channel:g"]
    for encoding in (JSON, MSGPACK):
        team.bob.encoding = encoding
        channels.catch_up(team.bob.conn, encoding, topics, team.driver.services)
        team.driver.delivery.flush()
        (told,) = team.driver.told()
        assert (told.kind, told.conn) == ("send", team.bob.conn)
        assert told.body == {"op": "channel", "conv": "channel:g", "head": 3}
