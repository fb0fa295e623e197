"""What the server answers to questions, typed. Fields of later versions are ignored."""

from __future__ import annotations

from typing import Any

import msgspec

from hivewire.client.objects import Item, Sent


class Marks(msgspec.Struct, frozen=True):
    """Up to which `n` a member has received and read; neither ever goes back."""

    delivered: int = 0
    read: int = 0


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """One of the user's conversations.

    Attributes:
        conv: its id.
        kind: `direct`, `group` or `channel`: how it is delivered now.
        name: as its members call it; empty in direct chats.
        head: the newest `n`.
        read: up to which `n` the user has read.
        unread: messages above that, not one's own, not recalled.
        peers: the marks of the others, in direct chats and small groups.
        last: the newest events, as many as were asked for and fitted.
    """

    conv: str
    kind: str
    name: str
    head: int
    read: int
    unread: int
    peers: dict[str, Marks]
    last: list[Item]

    @classmethod
    def of(cls, body: dict[str, Any]) -> Conversation:
        """The conversation in an object of the wire; KeyError when it is none."""
        conv: str = body["conv"]
        return cls(
            conv=conv,
            kind=body["kind"],
            name=body.get("name") or "",
            head=body["head"],
            read=body["read"],
            unread=body["unread"],
            peers=msgspec.convert(body.get("peers") or {}, dict[str, Marks]),
            last=[Item.of(item, conv) for item in body.get("last") or ()],
        )


class Conversations(msgspec.Struct, frozen=True):
    """A page of conversations, newest first; `next` is where the following one begins, or None."""

    items: list[Conversation]
    next: str | None

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Conversations:
        """The page in an object of the wire."""
        items = [Conversation.of(item) for item in answer["items"]]
        return cls(items, answer.get("next"))


class History(msgspec.Struct, frozen=True):
    """Events of a conversation in order of `n`, without gaps; `done` if nothing lies beyond."""

    items: list[Item]
    done: bool

    @classmethod
    def of(cls, answer: dict[str, Any], conv: str) -> History:
        """The events in an object of the wire."""
        return cls([Item.of(item, conv) for item in answer["items"]], answer["done"])


class Member(msgspec.Struct, frozen=True):
    """A member of a group: `owner`, `admin` or `member`."""

    user: str
    role: str


class Members(msgspec.Struct, frozen=True):
    """A page of members; `next` is where the following one begins, or None."""

    items: list[Member]
    next: str | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group or channel.

    Attributes:
        conv: its id.
        kind: `group` or `channel`.
        name: as its members call it.
        history: `all` or `joined`: what a new member may see.
        members: at most 500 of them; `group_members` pages through all.
        count: how many there are.
        head: the newest `n`.
        dup: whether the key had been answered before, and this is that answer again.
    """

    conv: str
    kind: str
    name: str = ""
    history: str = "all"
    members: list[Member] = []
    count: int = 0
    head: int = 0
    dup: bool = False


class Recipient(msgspec.Struct, frozen=True):
    """Who else is in the conversation, and how far he has got with the message."""

    user: str
    delivered: bool
    read: bool


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a change.

    Attributes:
        key: the key it was sent with.
        sent: the answer of back then.
        recipients: at most 100 members, without the sender.
    """

    key: str
    sent: Sent
    recipients: list[Recipient]

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Outcome:
        """The outcome in an object of the wire."""
        recipients = msgspec.convert(answer.get("recipients") or [], list[Recipient])
        sent = Sent.of(answer["sent"], answer["key"])
        return cls(key=answer["key"], sent=sent, recipients=recipients)


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """The heartbeat that was granted; `driver` (`from` on the wire) is `server` or `client`."""

    interval_ms: int
    timeout_ms: int
    driver: str = msgspec.field(name="from")
