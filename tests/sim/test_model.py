"""Whatever is done in whatever order, a node answers and shows what the model says.

One line a user, one command after the other; crashes, power cuts and drains come in between and
change nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.chaos.scale import scaled
from tests.sim.climate import CLIMATES, token
from tests.sim.climate import settings as node_settings
from tests.sim.loop import MS, S, Schedule, virtual_time
from tests.sim.model import Model, Refused
from tests.sim.network import Wire
from tests.sim.node import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

USERS = ("ann", "bob", "cat")
CONVS = ("direct:ann,bob", "direct:ann,ann", "direct:bob,cat", "group:g", "channel:c")
ROOMS = ("group:g", "channel:c")
CLIMATE = CLIMATES[0]

users = st.sampled_from(USERS)
convs = st.sampled_from(CONVS)
rooms = st.sampled_from(ROOMS)
groups_of_users = st.lists(users, min_size=1, max_size=3)
places = st.integers(1, 6)
words = st.sampled_from(("one", "two", "three"))


class Person:
    """A user with one device on one line, live all the time."""

    def __init__(self, node: WholeNode, user: str) -> None:
        self.node = node
        self.user = user
        self.pushed: list[dict[str, Any]] = []
        self.head = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._ids = 0

    def connect(self) -> None:
        self.wire = Wire(self.node.schedule, self, CLIMATE.window)
        self.wire.base = MS // 10
        assert self.node.machine.dial(self.wire)
        connect = {"token": token(self.user), "device": "phone", "cursor": self.head}
        assert self.call("connect", **connect)["head"] == self.head

    def call(self, op: str, **fields: Any) -> dict[str, Any]:
        """One command, and its answer."""
        self._ids += 1
        number = self._ids
        self.wire.up(json.dumps({"op": op, "id": number, **fields}).encode())
        assert self.node.schedule.run_until(lambda: number in self._answers, 30 * S)
        return self._answers.pop(number)

    def receive(self, frame: bytes) -> None:
        message = json.loads(frame)
        if "id" in message:
            self._answers[message["id"]] = message
            if message["op"] == "sent" and not message["dup"] and "seq" in message:
                self.head = message["seq"]
        elif message["op"] == "event":
            assert message["seq"] == self.head + 1
            self.head = message["seq"]
        elif message["op"] == "ping":
            self.wire.up(b'{"op":"pong"}')

    def lost(self, _code: int) -> None: ...


class WholeNode(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.schedule = Schedule(1)
        self.machine = Machine(self.schedule, node_settings(CLIMATE))
        self.model = Model()
        self.done: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = []
        """Keyed commands that were answered with `sent`: user, op, fields, answer."""
        self.keys = 0
        self.virtual = virtual_time(self.schedule)
        self.virtual.__enter__()
        self.machine.start()
        self.people = {user: Person(self, user) for user in USERS}
        for person in self.people.values():
            person.connect()

    def teardown(self) -> None:
        try:
            for user in USERS:
                self.everything_reads_the_same(user)
        finally:
            self.machine.unplug()
            self.virtual.__exit__(None, None, None)

    # -- verbs -----------------------------------------------------------------------------------

    def key(self, user: str) -> str:
        self.keys += 1
        return f"{user}-key-{self.keys:04}"

    def change(self, user: str, op: str, expected: Any, /, **fields: Any) -> dict[str, Any]:
        """A keyed command; `expected` does the same to the model and returns the `n`."""
        key = self.key(user)
        answer = self.people[user].call(op, key=key, **fields)
        code, n = judged(lambda: expected(key))
        assert answer.get("code") == code, answer
        if answer["op"] == "sent":
            assert answer["n"] == n
            self.done.append((user, op, {"key": key, **fields}, answer))
        return answer

    @rule(user=users, conv=convs, text=words)
    def send(self, user: str, conv: str, text: str) -> None:
        self.change(
            user, "send", lambda key: self.model.send(user, conv, key, text), to=conv, text=text
        )

    @rule(user=users, conv=convs, n=places, text=words)
    def edit(self, user: str, conv: str, n: int, text: str) -> None:
        expected = lambda key: self.model.edit(user, conv, n, key, text)  # noqa: E731
        self.change(user, "edit", expected, conv=conv, n=n, text=text)

    @rule(user=users, conv=convs, n=places)
    def recall(self, user: str, conv: str, n: int) -> None:
        self.change(
            user, "recall", lambda key: self.model.recall(user, conv, n, key), conv=conv, n=n
        )

    @rule(
        user=users, conv=convs, n=places, emoji=st.sampled_from(("+1", "heart")), on=st.booleans()
    )
    def react(self, user: str, conv: str, n: int, emoji: str, on: bool) -> None:
        expected = lambda key: self.model.react(user, conv, n, key, emoji, on)  # noqa: E731
        self.change(user, "react", expected, conv=conv, n=n, emoji=emoji, on=on)

    @rule(
        user=users, room=rooms, members=groups_of_users, history=st.sampled_from(("all", "joined"))
    )
    def create(self, user: str, room: str, members: list[str], history: str) -> None:
        kind, _, group = room.partition(":")
        self.change(
            user,
            "group.create",
            lambda key: self.model.create(user, room, key, members, history),
            group=group,
            kind=kind,
            name=room,
            members=members,
            history=history,
        )

    @rule(user=users, room=rooms, members=groups_of_users)
    def add(self, user: str, room: str, members: list[str]) -> None:
        expected = lambda key: self.model.add(user, room, key, members)  # noqa: E731
        self.change(user, "group.add", expected, conv=room, members=members)

    @rule(user=users, room=rooms, gone=groups_of_users)
    def remove(self, user: str, room: str, gone: list[str]) -> None:
        def expected(key: str) -> None:
            self.model.remove(user, room, key, gone, self.heir(room, set(gone)))

        self.change(user, "group.remove", expected, conv=room, members=gone)

    @rule(user=users, room=rooms)
    def leave(self, user: str, room: str) -> None:
        def expected(key: str) -> None:
            self.model.leave(user, room, key, self.heir(room, {user}))

        self.change(user, "group.leave", expected, conv=room)

    @rule(user=users, room=rooms, name=words)
    def rename(self, user: str, room: str, name: str) -> None:
        expected = lambda key: self.model.rename(user, room, key, name)  # noqa: E731
        self.change(user, "group.update", expected, conv=room, name=name)

    @rule(user=users, room=rooms, other=users, role=st.sampled_from(("owner", "admin", "member")))
    def give_role(self, user: str, room: str, other: str, role: str) -> None:
        expected = lambda key: self.model.give_role(user, room, key, other, role)  # noqa: E731
        self.change(user, "group.update", expected, conv=room, user=other, role=role)

    def heir(self, room: str, gone: set[str]) -> str | None:
        """Who became owner: anybody of those who may; the node says who."""
        if room not in self.model.talks:
            return None
        may = self.model.heirs(room, gone)
        if not may:
            return None
        (asker,) = [self.people[name] for name in sorted(may)[:1]]
        members = asker.call("group.info", conv=room)["members"]
        owners = {row["user"] for row in members if row["role"] == "owner"} & may
        return next(iter(owners), None)

    @rule(user=users, conv=convs, n=places)
    def read(self, user: str, conv: str, n: int) -> None:
        answer = self.people[user].call("read", conv=conv, n=n)
        code, _ = judged(lambda: self.model.read(user, conv, n))
        assert answer.get("code") == code, answer

    @rule(user=users, other=users, on=st.booleans())
    def block(self, user: str, other: str, on: bool) -> None:
        if user != other:
            assert self.people[user].call("block" if on else "unblock", user=other)["op"] == "ok"
            (self.model.blocked.add if on else self.model.blocked.discard)((user, other))

    # -- the same again --------------------------------------------------------------------------

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def say_it_again(self, data: st.DataObject) -> None:
        user, op, fields, answer = data.draw(st.sampled_from(self.done))
        again = self.people[user].call(op, **fields)
        assert again | {"id": 0} == answer | {"id": 0, "dup": True}

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def use_a_key_for_something_else(self, data: st.DataObject) -> None:
        user, _, fields, _ = data.draw(st.sampled_from(self.done))
        answer = self.people[user].call("send", to="user:ann", key=fields["key"], text="else")
        assert answer.get("code") == "conflict"

    @rule(how=st.sampled_from(("kill", "cut", "drain")))
    def start_again(self, how: str) -> None:
        if how == "drain":
            self.machine.terminate()
            assert self.schedule.run_until(lambda: not self.machine.running, 30 * S)
        else:
            self.machine.crash(how)
        self.machine.start()
        for person in self.people.values():
            person.connect()

    # -- what is shown ---------------------------------------------------------------------------

    @invariant()
    def everybody_is_at_the_head(self) -> None:
        """Live, each event was pushed once and in order: `Person.receive` looks at the numbers."""
        heads = {user: len(self.model.timelines[user]) for user in USERS}

        def arrived() -> bool:
            return all(self.people[user].head == head for user, head in heads.items())

        assert self.schedule.run_until(arrived, S), heads
        self.schedule.run_for(2 * MS)
        assert arrived(), heads

    @rule(user=users)
    def everything_reads_the_same(self, user: str) -> None:
        person, model = self.people[user], self.model
        page = person.call("sync", after=0, limit=500)
        assert page["done"]
        assert [plain(event) for event in page["events"]] == model.timeline(user)
        items = person.call("conversations", limit=100)["items"]
        told = {item["conv"]: (item["head"], item["read"], item["unread"]) for item in items}
        assert told == model.listing(user)
        for conv in CONVS:
            answer = person.call("history", conv=conv, limit=200)
            code, expected = judged(lambda conv=conv: model.history(user, conv))
            assert answer.get("code") == code
            if code is None:
                assert [plain(event) for event in answer["items"]] == expected


def judged(act: Callable[[], Any]) -> tuple[str | None, Any]:
    """What the model says: the code of a refusal, or what comes of it."""
    try:
        return None, act()
    except Refused as refused:
        return str(refused), None


def plain(event: dict[str, Any]) -> dict[str, Any]:
    """An event without times."""
    kept = {name: value for name, value in event.items() if name not in ("ts", "edited")}
    kept.pop("reaction_counts", None)
    if "recalled" in kept:
        kept["recalled"] = True
    if "reactions" in kept:
        kept["reactions"] = {emoji: sorted(names) for emoji, names in kept["reactions"].items()}
    return kept


TestWholeNode = WholeNode.TestCase
TestWholeNode.settings = settings(
    max_examples=scaled(150),
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    deadline=None,
)
