"""A conversation's life against a model that a reader can hold in his head, with a kill in it.

Users do one thing after another at random; after each the model knows what anybody must be shown.
A failing run prints the seed that plays it again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.scale import seeded
from tests.e2e.stranger import Stranger, company, key

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

PEOPLE = "ann bob cat dan"
STEPS = 90


@dataclass
class Message:
    author: str
    text: str
    edited: bool = False
    recalled: bool = False
    reactions: dict[str, set[str]] = field(default_factory=dict[str, set[str]])


@dataclass
class Member:
    role: str
    first: int
    """The first `n` that a history from joining may show him: his joining, or the making."""
    joined: int
    read: int


@dataclass
class Model:
    """What the protocol says of one group or channel."""

    history: str
    head: int
    name: str
    members: dict[str, Member]
    messages: dict[int, Message] = field(default_factory=dict[int, Message])

    def unread(self, user: str) -> int:
        mark = self.members[user].read
        others = [(n, m) for n, m in self.messages.items() if m.author != user]
        return sum(n > mark and not message.recalled for n, message in others)

    def visible(self, user: str) -> range:
        """The `n` that his history shows for certain."""
        first = 1 if self.history == "all" else self.members[user].joined + 1
        return range(first, self.head + 1)

    def rules(self, user: str) -> bool:
        return self.members[user].role in ("owner", "admin")


class Actor:
    """Does one random thing on the node and in the model; both must agree whether it may be."""

    def __init__(
        self, dice: random.Random, model: Model, conv: str, lines: dict[str, Stranger]
    ) -> None:
        self.dice = dice
        self.model, self.conv, self.lines = model, conv, lines

    async def step(self) -> None:
        user = self.dice.choice(sorted(self.lines))
        verbs = (self.send, self.send, self.edit, self.recall, self.react, self.read, self.read,
                 self.join_or_go, self.rename, self.give_role)  # fmt: skip
        verb = self.dice.choice(verbs)
        if user not in self.model.members:
            error = await self.lines[user].refused("send", to=self.conv, key=key(), text="x")
            assert error["code"] == "forbidden"
        else:
            await verb(user)

    async def change(self, who: str, op: str, allowed: bool, **fields: Any) -> bool:
        """One keyed command; when allowed it takes the next `n`."""
        answer = await self.lines[who].ask(op, conv=self.conv, key=key(), **fields)
        if not allowed:
            assert answer.get("code") in ("forbidden", "not_found"), (op, who, fields, answer)
            return False
        assert answer["op"] != "error", (op, who, fields, answer)
        self.model.head += 1
        told = {"sent": "n", "group": "head"}.get(answer["op"])
        assert told is None or answer[told] == self.model.head, (op, answer)
        return True

    async def send(self, user: str) -> None:
        text = f"{self.dice.random()}"
        await self.change(user, "send", allowed=True, to=self.conv, text=text)
        self.model.messages[self.model.head] = Message(user, text)

    def pick(self, user: str) -> tuple[int, Message] | None:
        """A message that he can see and that is still there."""
        seen = self.model.visible(user)
        there = [n for n, m in self.model.messages.items() if n in seen and not m.recalled]
        if not there:
            return None
        n = self.dice.choice(there)
        return n, self.model.messages[n]

    async def edit(self, user: str) -> None:
        if picked := self.pick(user):
            n, message = picked
            text = f"edited {self.dice.random()}"
            if await self.change(user, "edit", message.author == user, n=n, text=text):
                message.text, message.edited = text, True

    async def recall(self, user: str) -> None:
        if picked := self.pick(user):
            n, message = picked
            allowed = message.author == user or self.model.rules(user)
            message.recalled = await self.change(user, "recall", allowed, n=n)

    async def react(self, user: str) -> None:
        if picked := self.pick(user):
            n, message = picked
            emoji = self.dice.choice("👍🎉😀")
            users = message.reactions.setdefault(emoji, set())
            on = user not in users
            await self.change(user, "react", allowed=True, n=n, emoji=emoji, on=on)
            users.symmetric_difference_update({user})

    async def read(self, user: str) -> None:
        n = self.dice.choice(self.model.visible(user) or [self.model.head])
        await self.lines[user].call("read", conv=self.conv, n=n)
        member = self.model.members[user]
        member.read = max(member.read, n)

    async def join_or_go(self, user: str) -> None:
        outside = sorted(set(self.lines) - set(self.model.members))
        simple = [u for u, m in sorted(self.model.members.items()) if m.role == "member"]
        if outside:
            other = self.dice.choice(outside)
            if await self.change(user, "group.add", self.model.rules(user), members=[other]):
                self.model.members[other] = Member("member", *[self.model.head] * 3)
        elif user in simple:
            await self.change(user, "group.leave", allowed=True)
            del self.model.members[user]
        elif simple:
            other = self.dice.choice(simple)
            await self.change(user, "group.remove", allowed=True, members=[other])
            del self.model.members[other]

    async def rename(self, user: str) -> None:
        new = f"name {self.dice.random()}"
        if await self.change(user, "group.update", self.model.rules(user), name=new):
            self.model.name = new

    async def give_role(self, user: str) -> None:
        others = [u for u, m in sorted(self.model.members.items()) if m.role != "owner"]
        if others:
            other = self.dice.choice(others)
            role = "member" if self.model.members[other].role == "admin" else "admin"
            allowed = self.model.members[user].role == "owner"
            if await self.change(user, "group.update", allowed, user=other, role=role):
                self.model.members[other].role = role

    # -- what anybody is shown --------------------------------------------------------------------

    async def look(self, user: str) -> None:
        line, model = self.lines[user], self.model
        item = await line.conversation(self.conv, messages=20)
        if user not in model.members:
            assert item is None
            assert (await line.refused("history", conv=self.conv, after=0))["code"] == "forbidden"
            return
        assert item is not None
        assert (item["head"], item["name"]) == (model.head, model.name)
        assert (item["read"], item["unread"]) == (model.members[user].read, model.unread(user))
        items = {item["n"]: item for item in await line.history(self.conv)}
        shown, owed = set(items), set(model.visible(user))
        assert owed <= shown <= set(range(model.members[user].first, model.head + 1)) | owed
        for n in owed & set(model.messages):
            self.compare(items[n], model.messages[n])
        last = {message["n"]: message for message in item["last"]}
        assert sorted(last) == sorted(owed & set(model.messages))[-20:]
        assert all(items[n] == message for n, message in last.items()), "one state everywhere"
        info = await line.call("group.info", conv=self.conv)
        roles = {member["user"]: member["role"] for member in info["members"]}
        assert roles == {user: member.role for user, member in model.members.items()}

    def compare(self, item: dict[str, Any], message: Message) -> None:
        assert (item["type"], item["from"]) == ("message", message.author)
        assert ("recalled" in item) is message.recalled
        if message.recalled:
            assert "text" not in item
            return
        assert (item["text"], "edited" in item) == (message.text, message.edited)
        reactions = {emoji: set(users) for emoji, users in item.get("reactions", {}).items()}
        assert reactions == {emoji: users for emoji, users in message.reactions.items() if users}


@pytest.mark.parametrize("kind", ["group", "channel"])
@pytest.mark.parametrize("history", ["all", "joined"])
async def test_m2_m3_m4_m9_o3_o4_a_conversation_is_what_the_model_says(
    start_node: Callable[..., Node], name: Name, kind: str, history: str
) -> None:
    dice = seeded()
    node = start_node()
    actor: Actor | None = None
    for _ in range(2):
        async with company(node, name, PEOPLE) as people:
            lines = {line.user: line for line in people}
            if actor is None:
                owner, *others = lines
                group = await lines[owner].make_group(*others, kind=kind, history=history)
                head = group["head"]
                members = {user: Member("member", 1, head, head) for user in others}
                members[owner] = Member("owner", 1, head, head)
                model = Model(history, head, "team", members)
                actor = Actor(dice, model, group["conv"], lines)
                # Marks of those who were there from the beginning may start anywhere up to here.
                for line in people:
                    await line.call("read", conv=group["conv"], n=head)
            actor.lines = lines
            for user in lines:
                await actor.look(user)
            for _ in range(STEPS):
                await actor.step()
                await actor.look(actor.dice.choice(sorted(lines)))
            for user in lines:
                await actor.look(user)
            # An answered `read` is written within 100 ms.
            await asyncio.sleep(0.35)
            node.kill9()
        await asyncio.to_thread(node.restart)
    async with company(node, name, PEOPLE) as people:
        assert actor is not None
        actor.lines = {line.user: line for line in people}
        for user in actor.lines:
            await actor.look(user)
