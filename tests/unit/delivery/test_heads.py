from __future__ import annotations

import msgspec

from hivewire.delivery.heads import (
    GATHER_MS,
    Heads,
    conversation_of,
    head_push,
    heads_topic,
    open_topic,
)
from tests.unit.core.driver import Driver as Core


class Told:
    """Heads over a core with two channels."""

    def __init__(self) -> None:
        self.core = Core()
        for group in ("b", "a"):
            self.core.create("ann", "bob", kind="channel", group=group)
        self.core.settle()
        self.asked = 0
        self.heads = Heads(self.core.view, self._soon)

    def _soon(self) -> None:
        self.asked += 1


def test_many_events_make_one_push_with_the_newest_durable_head() -> None:
    told = Told()
    for _ in range(3):
        told.core.sent("ann", "channel:a")
        told.heads.note("channel:a")
    told.core.send("ann", "channel:a")
    assert told.asked == 1
    ((topic, body, twin),) = told.heads.take(with_twin=True)
    assert topic == "heads:channel:a"
    assert body == b'{"op":"channel","conv":"channel:a","head":5}'
    assert twin is not None
    assert msgspec.msgpack.decode(twin) == msgspec.json.decode(body)


def test_each_channel_has_its_push_and_what_was_told_is_forgotten() -> None:
    told = Told()
    for conv in ("channel:b", "channel:a", "channel:b"):
        told.heads.note(conv)
    found = told.heads.take(with_twin=False)
    assert [(topic, twin) for topic, _, twin in found] == [
        ("heads:channel:a", None),
        ("heads:channel:b", None),
    ]
    assert told.heads.take(with_twin=False) == []
    told.heads.note("channel:a")
    assert told.asked == 2


def test_a_topic_tells_its_channel() -> None:
    for topic in (heads_topic("channel:a"), open_topic("channel:a")):
        assert conversation_of(topic) == "channel:a"
    assert heads_topic("channel:a") != open_topic("channel:a")


def test_the_push_is_the_one_of_the_contract() -> None:
    assert head_push("group:g", 7) == b'{"op":"channel","conv":"group:g","head":7}'


def test_a_head_is_told_within_a_second() -> None:
    assert GATHER_MS <= 1_000
