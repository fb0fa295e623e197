"""What people in a company do with their devices: write, change their minds, join, leave, read.

Each deed is a function of a device; `act` picks one by the seed. Some are wrong in a way in which
good clients are: they do not know yet that somebody was faster, and are refused.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.chaos.history import Event, HistoryRead, ReadDone

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.device import Device

EMOJIS = ("+1", "heart", "😀")
RECENT = 30
"""Messages of a conversation that a device remembers, to change them or react to them."""
LEAVES_BEHIND = 0.3


@dataclass(frozen=True)
class Keyed:
    """A command with a key. `text` and `about` are what its event must say (see `Invoke`)."""

    op: str
    key: str
    conv: str
    fields: dict[str, Any]
    text: str = ""
    about: str = ""


@dataclass(frozen=True)
class Team:
    """A group or channel that the first user makes at the beginning, with the first `size`."""

    conv: str
    size: int = 1000
    history: str = "all"
    members: tuple[str, ...] = ()
    """Instead of the first ones: these."""


@dataclass
class Known:
    """What a device knows of a conversation by the events that it got."""

    head: int = 0
    inside: bool = True
    is_channel: bool = False
    """Made as one, or turned into one."""
    recent: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=RECENT))
    """Messages: `n` and author."""

    def note(self, event: Event, me: str) -> None:
        """An event came; old ones that come again change nothing."""
        if event.n <= self.head:
            return
        self.head = event.n
        if event.type == "message":
            self.recent.append((event.n, event.sender))
        elif event.type == "membership":
            for change in json.loads(event.about)["changes"]:
                if change["user"] == me and change["change"] != "role":
                    self.inside = change["change"] == "added"
        elif event.type == "conversation":
            self.is_channel = json.loads(event.about)["kind"] == "channel"


def makings(teams: tuple[Team, ...], users: list[str]) -> list[Keyed]:
    """The commands with which the first user makes all teams."""
    made: list[Keyed] = []
    for team in teams:
        kind, _, group = team.conv.partition(":")
        fields = {
            "group": group,
            "kind": kind,
            "name": f"the {group}",
            "history": team.history,
            "members": list(team.members) or users[1 : team.size],
        }
        made.append(Keyed("group.create", f"making-{group}", team.conv, fields))
    return made


def act(device: Device) -> None:
    """One thing that somebody does now and then."""
    deeds, weights = WITH_TEAMS if device.fleet.teams else ALONE
    device.rng.choices(deeds, weights)[0](device)


# -- messages -------------------------------------------------------------------------------------


def write(device: Device) -> None:
    """A message: to somebody, or into a group or channel that one believes to be in."""
    rng, key = device.rng, device.next_key()
    mine = [conv for conv in device.teams() if device.known[conv].inside]
    if mine and rng.random() < 0.6:
        conv = to = rng.choice(mine)
    elif device.fleet.teams and rng.random() < 0.03:
        conv = to = rng.choice(device.fleet.teams).conv
    else:
        peer = rng.choice(device.fleet.users)
        conv = f"direct:{','.join(sorted((device.user, peer)))}"
        to = f"user:{peer}" if rng.random() < 0.5 else conv
    text = f"text of {key}"
    device.change(Keyed("send", key, conv, {"to": to, "text": text}, text))


def edit(device: Device) -> None:
    target = _a_message(device, lambda author: author == device.user)
    if target is not None:
        conv, n = target
        key = device.next_key()
        fields = {"conv": conv, "n": n, "text": f"edited by {key}"}
        about = json.dumps({"target": n})
        device.change(Keyed("edit", key, conv, fields, fields["text"], about))


def recall(device: Device) -> None:
    """One's own; the first user looks after the groups and takes others' back too."""
    first = device.user == device.fleet.users[0]
    target = _a_message(device, lambda author: first or author == device.user)
    if target is not None:
        conv, n = target
        about = json.dumps({"target": n})
        device.change(Keyed("recall", device.next_key(), conv, {"conv": conv, "n": n}, "", about))


def react(device: Device) -> None:
    target = _a_message(device, lambda _: True)
    if target is not None:
        conv, n = target
        said = {"emoji": device.rng.choice(EMOJIS), "on": device.rng.random() < 0.7}
        about = json.dumps(said | {"target": n}, sort_keys=True)
        fields = {"conv": conv, "n": n, **said}
        device.change(Keyed("react", device.next_key(), conv, fields, "", about))


def _a_message(device: Device, fits: Callable[[str], bool]) -> tuple[str, int] | None:
    """A recent message by a fitting author, of any conversation that is known."""
    if not device.known:
        return None
    conv = device.rng.choice(list(device.known))
    found = [n for n, author in device.known[conv].recent if fits(author)]
    return (conv, device.rng.choice(found)) if found else None


# -- groups and channels --------------------------------------------------------------------------


def add(device: Device) -> None:
    _of_team(device, "group.add", members=_others(device, 2))


def remove(device: Device) -> None:
    _of_team(device, "group.remove", members=_others(device, 1))


def leave(device: Device) -> None:
    if device.user != device.fleet.users[0]:
        _of_team(device, "group.leave")


def rename(device: Device) -> None:
    _of_team(device, "group.update", name=f"named {device.rng.randrange(100)}")


def give_role(device: Device) -> None:
    role = device.rng.choice(("admin", "member"))
    _of_team(device, "group.update", user=_others(device, 1)[0], role=role)


def _others(device: Device, count: int) -> list[str]:
    """Anybody but the first user, who stays everywhere: nothing is left without a reader."""
    others = device.fleet.users[1:]
    return device.rng.sample(others, min(count, len(others)))


def _of_team(device: Device, op: str, **fields: Any) -> None:
    teams = device.teams()
    # Most try it where they may; who may not is refused.
    if teams and (device.user == device.fleet.users[0] or device.rng.random() < LEAVES_BEHIND):
        conv = device.rng.choice(teams)
        device.change(Keyed(op, device.next_key(), conv, {"conv": conv, **fields}))


def open_channel(device: Device) -> None:
    _of_channel(device, "open")


def close_channel(device: Device) -> None:
    _of_channel(device, "close")


def _of_channel(device: Device, op: str) -> None:
    channels = [conv for conv in device.teams() if device.known[conv].is_channel]
    if channels:
        conv = device.rng.choice(channels)

        def hear(message: dict[str, Any]) -> None:
            device.hear_head(conv, message["head"])
            device.listen(conv, message["head"] if op == "open" else None)

        device.ask(hear, op, conv=conv)


# -- reading --------------------------------------------------------------------------------------


def read(device: Device) -> None:
    """Mostly up to the newest, sometimes to an older place: the mark must not go back."""
    known = [conv for conv, talk in device.known.items() if talk.head]
    if known:
        conv = device.rng.choice(known)
        head = device.known[conv].head
        n = head if device.rng.random() < 0.7 else device.rng.randint(1, head)

        def hear(_: dict[str, Any]) -> None:
            device.record(ReadDone(*device.stamp(), conv, n))

        device.ask(hear, "read", conv=conv, n=n)


def look_back(device: Device) -> None:
    """A part of the history of a conversation, in either direction."""
    if device.known:
        rng, conv = device.rng, device.rng.choice(list(device.known))
        head = device.known[conv].head
        side = rng.choice(
            ({}, {"after": rng.randint(0, head)}, {"before": rng.randint(1, head + 1)})
        )

        answered = device.fleet.heads[conv]

        def hear(message: dict[str, Any]) -> None:
            events = tuple(map(Event.of, message["items"]))
            for event in events:
                device.note(event)
            told = conv, events, False, answered if not side else 0, not side
            device.record(HistoryRead(*device.stamp(), *told))

        device.ask(hear, "history", conv=conv, limit=rng.choice((2, 10, 100)), **side)


def list_conversations(device: Device) -> None:
    device.ask(device.hear_conversations, "conversations", limit=100, messages=1)


def type_on(device: Device) -> None:
    if device.known:
        conv = device.rng.choice(list(device.known))
        device.ask(lambda _: None, "typing", conv=conv, state="start")


Deeds = tuple[tuple["Callable[[Device], None]", ...], tuple[int, ...]]


def _weighed(*weights: tuple[Callable[[Device], None], int]) -> Deeds:
    return tuple(zip(*weights, strict=True))  # type: ignore[return-value]


_MESSAGES = ((write, 60), (edit, 6), (recall, 3), (react, 8), (read, 10), (look_back, 2))
ALONE = _weighed(*_MESSAGES, (list_conversations, 1))
WITH_TEAMS = _weighed(
    *_MESSAGES,
    *((add, 6), (remove, 2), (leave, 2), (rename, 1), (give_role, 1)),
    *((list_conversations, 1), (type_on, 1), (open_channel, 2), (close_channel, 1)),
)
"""What is done how often, of all that is done, without groups and with them."""
