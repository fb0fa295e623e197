"""A perfect node with a group and a channel, and what its clients would record:

what mutations of the rules about conversations and logs start from.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.chaos.conversations import Talk, fold
from tests.chaos.history import (
    Answer,
    ChannelEvent,
    Connected,
    Event,
    Final,
    GroupTold,
    HeadTold,
    Healed,
    HistoryRead,
    Invoke,
    Listed,
    Listening,
    MarkTold,
    Push,
    ReadDone,
    Refusal,
    Settled,
    Unread,
)

if TYPE_CHECKING:
    from tests.chaos.history import History

GROUP, CHANNEL = "group:team", "channel:news"
LINES = {"ann": 1, "bob": 2, "cat": 3}
OPS = {"message": "send", "edit": "edit", "recall": "recall", "reaction": "react"}


class PerfectCompany:
    """Steps of a run; each writes what the clients saw into `history`."""

    def __init__(self) -> None:
        self.history: History = []
        self.logs: dict[str, list[Event]] = defaultdict(list)
        self.timelines: dict[str, list[Event]] = {user: [] for user in LINES}
        self.members: dict[str, set[str]] = {GROUP: set(), CHANNEL: set()}
        self.read: dict[tuple[str, str], int] = defaultdict(int)
        self._now = 0
        for user in LINES:
            told = {"new_device": True, "reset": False}
            self.history.append(Connected(*self.stamp(user), None, 0, 0, 1, **told))

    def stamp(self, user: str) -> tuple[int, int, str, str]:
        self._now += 1_000_000
        return self._now, LINES[user], user, "phone"

    def say(
        self, conv: str, user: str, kind: str = "message", text: str = "", **about: Any
    ) -> Event:
        """A keyed command that makes one event; answered, and told to all who shall have it."""
        key = f"key-{len(self.history):04}"
        event = self._log(conv, user, key, kind, text, about)
        asked = (key, conv, text, OPS[kind], event.about)
        self.history.append(Invoke(*self.stamp(user), *asked))
        self._tell(conv, event, self.members[conv], user)
        seq = 0 if conv == CHANNEL else len(self.timelines[user])
        told = (key, conv, event.n, seq)
        self.history.append(Answer(*self.stamp(user), *told, dup=False, type=kind))
        return event

    def group(self, op: str, conv: str, user: str, *parts: tuple[str, dict[str, Any]]) -> None:
        """A change of who is in it or how it is called: its events, then `group`."""
        key = f"key-{len(self.history):04}"
        self.history.append(Invoke(*self.stamp(user), key, conv, "", op))
        for _, about in parts:
            for change in about.get("changes", ()):
                if change["change"] == "added":
                    self.members[conv].add(change["user"])
        receivers = set(self.members[conv])
        for kind, about in parts:
            self._tell(conv, self._log(conv, user, key, kind, "", about), receivers, "")
            for change in about.get("changes", ()):
                if change["change"] in ("left", "removed"):
                    self.members[conv].discard(change["user"])
        inside = user in self.members[conv]
        told = (len(self.logs[conv]), tuple(sorted(self.members[conv]))) if inside else (0, ())
        self.history.append(GroupTold(*self.stamp(user), key, conv, *told))

    def mark(self, conv: str, user: str, n: int) -> None:
        """`read`, and the receipt of it."""
        self.read[conv, user] = n
        self.history.append(ReadDone(*self.stamp(user), conv, n))
        self.history.append(MarkTold(*self.stamp(user), conv, user, n, n))

    def _log(
        self, conv: str, user: str, key: str, kind: str, text: str, about: dict[str, Any]
    ) -> Event:
        log, said = self.logs[conv], json.dumps(about, sort_keys=True) if about else ""
        log.append(Event(0, conv, len(log) + 1, user, key, text, kind, said))
        return log[-1]

    def _tell(self, conv: str, event: Event, receivers: set[str], author: str) -> None:
        for user in sorted(receivers):
            if conv == CHANNEL:
                self.history.append(HeadTold(*self.stamp(user), conv, event.n))
                if user == "bob" and event.type == "message":
                    self.history.append(ChannelEvent(*self.stamp(user), event))
            if conv == CHANNEL and event.type == "message":
                continue
            timeline = self.timelines[user]
            timeline.append(replace(event, seq=len(timeline) + 1))
            if user != author:
                self.history.append(Push(*self.stamp(user), timeline[-1]))

    def finish(self) -> History:
        """In the end everybody reads everything."""
        self.history.append(Healed(self._now, 0, "", ""))
        for user, timeline in self.timelines.items():
            self.history.append(Settled(*self.stamp(user), len(timeline)))
            self.history.append(Final(*self.stamp(user), tuple(map(self._now_of, timeline))))
            mine = [conv for conv, members in self.members.items() if user in members]
            self.history.append(Listed(*self.stamp(user), tuple(mine)))
            for conv in mine:
                self._read_all(conv, user)
        return self.history

    def _read_all(self, conv: str, user: str) -> None:
        shown = tuple(self._now_of(event, in_history=True) for event in self.logs[conv])
        self.history.append(HistoryRead(*self.stamp(user), conv, shown, final=True))
        read = self.read[conv, user]
        count = sum(
            event.n > read
            and event.sender != user
            and event.type == "message"
            and not event.recalled
            for event in shown
        )
        self.history.append(Unread(*self.stamp(user), conv, read, count))
        told = (len(shown), tuple(sorted(self.members[conv])))
        self.history.append(GroupTold(*self.stamp(user), "", conv, *told))

    def _now_of(self, event: Event, *, in_history: bool = False) -> Event:
        """An event as it is shown in the end."""
        if event.type != "message":
            return event
        talk = Talk(event.conv)
        talk.events = {event.n: event for event in self.logs[event.conv]}
        text, gone, reactions = fold(talk)[event.n]
        if gone:
            return replace(event, text="", recalled=True)
        return replace(event, text=text or event.text, about=reactions) if in_history else event


def good_company() -> History:
    """Ann makes a group and a channel; cat joins, bob leaves; things are changed and read."""
    perfect = PerfectCompany()
    made = {"kind": "group", "name": "team", "history": "all"}
    news = {"kind": "channel", "name": "news", "history": "all"}
    both = {"changes": [added("ann", "owner"), added("bob")]}
    perfect.group("group.create", GROUP, "ann", ("conversation", made), ("membership", both))
    perfect.group("group.create", CHANNEL, "ann", ("conversation", news), ("membership", both))
    perfect.history.append(Listening(*perfect.stamp("bob"), CHANNEL, 2))
    for number in range(3):
        perfect.say(CHANNEL, "ann", text=f"news {number}")
    first = perfect.say(GROUP, "bob", text="hello")
    second = perfect.say(GROUP, "ann", text="wrong words")
    perfect.say(GROUP, "ann", "edit", "right words", target=second.n)
    perfect.say(GROUP, "bob", "reaction", target=second.n, emoji="+1", on=True)
    refused = ("key-of-cat", GROUP, "let me in")
    perfect.history.append(Invoke(*perfect.stamp("cat"), *refused))
    perfect.history.append(Refusal(*perfect.stamp("cat"), "key-of-cat", "forbidden"))
    perfect.group("group.add", GROUP, "ann", ("membership", {"changes": [added("cat")]}))
    perfect.mark(GROUP, "ann", 4)
    perfect.say(GROUP, "bob", "recall", target=first.n)
    perfect.group(
        "group.leave",
        GROUP,
        "bob",
        ("membership", {"changes": [{"user": "bob", "change": "left"}]}),
    )
    perfect.say(GROUP, "cat", text="bye, bob")
    perfect.say(GROUP, "ann", text="so long")
    perfect.mark(GROUP, "ann", 5)
    return perfect.finish()


def added(user: str, role: str = "member") -> dict[str, str]:
    return {"user": user, "change": "added", "role": role}
