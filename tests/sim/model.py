"""A node as one can hold it in one's head: conversations are lists of events, so are timelines.

`Model` says for each verb what must be answered, and afterwards what everybody must be able to
read. It knows the contract and nothing about how a node keeps it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

ROLES = ("member", "admin", "owner")
Event = dict[str, Any]


@dataclass
class Talk:
    """One conversation."""

    conv: str
    kind: str
    roles: dict[str, str]
    history: str = "all"
    name: str = ""
    since: dict[str, int] = field(default_factory=dict[str, int])
    events: list[Event] = field(default_factory=list[Event])
    """Event `n` stands at `n` - 1."""
    read: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def head(self) -> int:
        return len(self.events)

    def first_for(self, user: str) -> int:
        return self.since.get(user, 0) + 1 if self.history == "joined" else 1

    def message(self, n: int, user: str) -> Event | None:
        """The message at `n`, if this user may see it and it still says something."""
        if not self.first_for(user) <= n <= self.head:
            return None
        event = self.events[n - 1]
        return event if event["type"] == "message" and not event.get("recalled") else None

    def unread(self, user: str) -> int:
        first = max(self.read.get(user, 0) + 1, self.first_for(user))
        return sum(
            event["type"] == "message" and event["from"] != user and not event.get("recalled")
            for event in self.events[first - 1 :]
        )


class Refused(Exception):
    """The code of the `error` that must be answered."""


class Model:
    """Conversations, timelines, keys, blocks."""

    def __init__(self) -> None:
        self.talks: dict[str, Talk] = {}
        self.timelines: dict[str, list[tuple[str, int]]] = defaultdict(list)
        self.blocked: set[tuple[str, str]] = set()
        """(who blocks, whom)."""

    # -- messages --------------------------------------------------------------------------------

    def send(self, user: str, conv: str, key: str, text: str) -> int:
        talk = self._mine(user, conv)
        return self._post(talk, {"type": "message", "from": user, "key": key, "text": text})

    def edit(self, user: str, conv: str, n: int, key: str, text: str) -> int:
        talk, message = self._target(user, conv, n)
        if message["from"] != user:
            raise Refused("forbidden")
        message |= {"now": text}
        said = {"type": "edit", "from": user, "key": key, "target": n, "text": text}
        return self._post(talk, said)

    def recall(self, user: str, conv: str, n: int, key: str) -> int:
        talk, message = self._target(user, conv, n, recalls=True)
        if message["from"] != user and talk.roles.get(user, "member") == "member":
            raise Refused("forbidden")
        for event in talk.events:
            if event is message or (event["type"] == "edit" and event["target"] == n):
                event["recalled"] = True
        return self._post(talk, {"type": "recall", "from": user, "key": key, "target": n})

    def react(self, user: str, conv: str, n: int, key: str, emoji: str, on: bool) -> int:
        talk, message = self._target(user, conv, n)
        users = message.setdefault("reactions", {}).setdefault(emoji, set())
        (users.add if on else users.discard)(user)
        said = {"type": "reaction", "from": user, "key": key, "target": n}
        return self._post(talk, said | {"emoji": emoji, "on": on})

    def read(self, user: str, conv: str, n: int) -> None:
        talk = self._mine(user, conv, blocks=False)
        if n > talk.head:
            raise Refused("bad_request")
        talk.read[user] = max(n, talk.read.get(user, 0))

    # -- groups ----------------------------------------------------------------------------------

    def create(self, user: str, conv: str, key: str, members: list[str], history: str) -> None:
        if conv in self.talks:
            raise Refused("conflict")
        everybody = [user, *(name for name in dict.fromkeys(members) if name != user)]
        talk = self.talks[conv] = Talk(conv, conv.partition(":")[0], {}, history, conv)
        self._describe(talk, user, key, everybody)
        self._join(talk, user, key, everybody, owner=user)
        # Who was there from the beginning sees all of it.
        talk.since = dict.fromkeys(everybody, 0)

    def add(self, user: str, conv: str, key: str, members: list[str]) -> None:
        talk = self._run_by(user, conv, "admin")
        new = [name for name in dict.fromkeys(members) if name not in talk.roles]
        if new:
            self._join(talk, user, key, new)

    def remove(self, user: str, conv: str, key: str, gone: list[str], heir: str | None) -> None:
        talk = self._run_by(user, conv, "admin")
        gone = [name for name in dict.fromkeys(gone) if name in talk.roles]
        strong = [name for name in gone if talk.roles[name] != "member" and name != user]
        if strong and talk.roles[user] != "owner":
            raise Refused("forbidden")
        if gone:
            self._part(talk, user, key, gone, "removed", heir)

    def leave(self, user: str, conv: str, key: str, heir: str | None) -> None:
        self._part(self._run_by(user, conv, "member"), user, key, [user], "left", heir)

    def rename(self, user: str, conv: str, key: str, name: str) -> None:
        talk = self._run_by(user, conv, "admin")
        if name != talk.name:
            talk.name = name
            self._describe(talk, user, key, list(talk.roles))

    def give_role(self, user: str, conv: str, key: str, other: str, role: str) -> None:
        talk = self._run_by(user, conv, "owner")
        if other not in talk.roles:
            raise Refused("not_found")
        if talk.roles[other] == role:
            return
        if [name for name, has in talk.roles.items() if has == "owner"] == [other]:
            raise Refused("forbidden")
        talk.roles[other] = role
        changes = [{"user": other, "change": "role", "role": role}]
        self._membership(talk, user, key, changes, [other])

    def heirs(self, conv: str, gone: set[str]) -> set[str]:
        """Who may become owner when these go: nobody while an owner stays, else the strongest."""
        roles = self.talks[conv].roles
        left = {name: ROLES.index(role) for name, role in roles.items() if name not in gone}
        had = any(role == "owner" for name, role in roles.items() if name in gone)
        if not had or not left or max(left.values()) == ROLES.index("owner"):
            return set()
        return {name for name, role in left.items() if role == max(left.values())}

    # -- what can be read ------------------------------------------------------------------------

    def timeline(self, user: str) -> list[Event]:
        """As `page` shows it: messages as they were sent, without words where recalled."""
        found: list[Event] = []
        for seq, (conv, n) in enumerate(self.timelines[user], 1):
            event = self.talks[conv].events[n - 1]
            kept = {
                name: value for name, value in event.items() if name not in ("now", "reactions")
            }
            if event.get("recalled"):
                kept.pop("text", None)
            found.append({"seq": seq, "conv": conv, "n": n, **kept})
        return found

    def history(self, user: str, conv: str) -> list[Event]:
        """As `history` shows it: messages as they are now."""
        talk = self._mine(user, conv, blocks=False)
        found: list[Event] = []
        for n in range(talk.first_for(user), talk.head + 1):
            event = dict(talk.events[n - 1])
            now, reactions = event.pop("now", None), event.pop("reactions", {})
            if event.get("recalled"):
                event.pop("text", None)
            else:
                event |= {} if now is None else {"text": now}
                left = {emoji: sorted(users) for emoji, users in reactions.items() if users}
                event |= {"reactions": left} if left else {}
            found.append({"conv": conv, "n": n, **event})
        return found

    def listing(self, user: str) -> dict[str, tuple[int, int, int]]:
        """By conversation: head, mark, unread."""
        return {
            conv: (talk.head, talk.read.get(user, 0), talk.unread(user))
            for conv, talk in self.talks.items()
            if user in talk.roles and talk.head
        }

    # -- how things happen -----------------------------------------------------------------------

    def _mine(self, user: str, conv: str, *, blocks: bool = True) -> Talk:
        kind, _, names = conv.partition(":")
        if kind == "direct" and conv not in self.talks and user in names.split(","):
            talk = Talk(conv, kind, dict.fromkeys(names.split(","), "peer"))
            talk.roles = dict.fromkeys(names.split(","), "member")
            self.talks[conv] = talk
        found = self.talks.get(conv)
        if found is None or user not in found.roles:
            raise Refused("forbidden")
        if (
            blocks
            and kind == "direct"
            and any((other, user) in self.blocked for other in found.roles)
        ):
            raise Refused("forbidden")
        return found

    def _target(self, user: str, conv: str, n: int, *, recalls: bool = False) -> tuple[Talk, Event]:
        talk = self._mine(user, conv, blocks=not recalls)
        message = talk.message(n, user)
        if message is None:
            raise Refused("not_found")
        return talk, message

    def _run_by(self, user: str, conv: str, role: str) -> Talk:
        talk = self.talks.get(conv)
        if talk is None or user not in talk.roles:
            raise Refused("forbidden")
        if ROLES.index(talk.roles[user]) < ROLES.index(role):
            raise Refused("forbidden")
        return talk

    def _post(self, talk: Talk, event: Event, receivers: list[str] | None = None) -> int:
        """The next event of a conversation, into these timelines (None: everybody's)."""
        talk.events.append(event)
        if receivers is None:
            receivers = [] if talk.kind == "channel" else list(talk.roles)
        for user in receivers:
            self.timelines[user].append((talk.conv, talk.head))
        return talk.head

    def _describe(self, talk: Talk, user: str, key: str, receivers: list[str]) -> None:
        row = {"kind": talk.kind, "name": talk.name, "history": talk.history}
        self._post(talk, {"type": "conversation", "from": user, "key": key, **row}, receivers)

    def _membership(
        self, talk: Talk, user: str, key: str, changes: list[Event], about: list[str]
    ) -> None:
        """Of a channel only those hear whom it is about."""
        receivers = about if talk.kind == "channel" else list(dict.fromkeys([*talk.roles, *about]))
        event = {"type": "membership", "from": user, "key": key, "changes": changes}
        self._post(talk, event, receivers)

    def _join(
        self, talk: Talk, user: str, key: str, new: list[str], owner: str | None = None
    ) -> None:
        roles = {name: "owner" if name == owner else "member" for name in new}
        talk.roles |= roles
        changes = [{"user": name, "change": "added", "role": role} for name, role in roles.items()]
        self._membership(talk, user, key, changes, new)
        for name in new:
            talk.since[name] = talk.head
            talk.read[name] = talk.head

    def _part(
        self, talk: Talk, user: str, key: str, gone: list[str], change: str, heir: str | None
    ) -> None:
        changes: list[Event] = [{"user": name, "change": change} for name in gone]
        about = list(gone)
        if heir is not None:
            talk.roles[heir] = "owner"
            changes.append({"user": heir, "change": "role", "role": "owner"})
            about.append(heir)
        self._membership(talk, user, key, changes, about)
        for name in gone:
            del talk.roles[name]
