"""Commands as typed values: what a client may say, one Struct a verb, for both encodings.

`decode` makes them of a WebSocket message; `checks` holds what the types cannot say.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from hivewire.core.limits import COMMAND_ID, POSITION

JSON: Final = 0
MSGPACK: Final = 1

CommandId = Annotated[int, Meta(ge=1, le=COMMAND_ID)]
Position = Annotated[int, Meta(ge=0, le=POSITION)]
Place = Annotated[int, Meta(ge=1, le=POSITION)]
Count = Annotated[int, Meta(ge=1)]


class HeartbeatWish(Struct):
    """What a client asks its heartbeat to be; the answer says what it got."""

    interval_ms: int | None = None
    from_: Literal["server", "client"] | None = msgspec.field(default=None, name="from")


class RecentWish(Struct):
    """So many of the newest conversations with so many messages each, inside of `connected`."""

    conversations: Count = 5
    messages: Annotated[int, Meta(ge=0)] = 15


class Connect(Struct, tag_field="op", tag="connect"):
    """The first command: who this is and where it goes on from."""

    id: CommandId
    token: str | None = None
    ticket: str | None = None
    device: str | None = None
    epoch: str | None = None
    cursor: Annotated[int, Meta(ge=0)] | None = None
    sync: Count | None = None
    heartbeat: HeartbeatWish | None = None
    recent: RecentWish | None = None


class Refresh(Struct, tag_field="op", tag="refresh"):
    """A newer token for this connection."""

    id: CommandId
    token: str


class Send(Struct, tag_field="op", tag="send", gc=False):
    """A message. Absent, null and None are the same for what may be left out."""

    id: CommandId
    to: str
    key: str
    text: str | None = None
    media: list[str] | None = None
    data: dict[str, Any] | None = None
    reply_to: Annotated[int, Meta(ge=1, le=POSITION)] | None = None
    mentions: list[str] | None = None


class Ack(Struct, tag_field="op", tag="ack", gc=False):
    """This device holds everything up to `seq`."""

    seq: Position
    id: CommandId | None = None


class Sync(Struct, tag_field="op", tag="sync", gc=False):
    """A page of what comes behind `after`."""

    id: CommandId
    after: Position
    limit: Count = 100


class Heartbeat(Struct, tag_field="op", tag="heartbeat", gc=False):
    """Another heartbeat for this connection."""

    id: CommandId
    interval_ms: int | None = None
    from_: Literal["server", "client"] | None = msgspec.field(default=None, name="from")


class Edit(Struct, tag_field="op", tag="edit", gc=False):
    """Another text for one's own message."""

    id: CommandId
    conv: str
    n: Place
    key: str
    text: str


class Recall(Struct, tag_field="op", tag="recall", gc=False):
    """A message taken back."""

    id: CommandId
    conv: str
    n: Place
    key: str


class React(Struct, tag_field="op", tag="react", gc=False):
    """An emoji on a message, or off it again."""

    id: CommandId
    conv: str
    n: Place
    key: str
    emoji: str
    on: bool = True


class Read(Struct, tag_field="op", tag="read", gc=False):
    """The user has read the conversation up to `n`."""

    conv: str
    n: Position
    id: CommandId | None = None


class Typing(Struct, tag_field="op", tag="typing", gc=False):
    """The user begins or ends to write."""

    conv: str
    state: Literal["start", "stop"]
    id: CommandId | None = None


class Conversations(Struct, tag_field="op", tag="conversations", gc=False):
    """The user's conversations, the newest first."""

    id: CommandId
    limit: Count = 50
    before: str | None = None
    messages: Annotated[int, Meta(ge=0)] = 0


class HistoryQuery(Struct, tag_field="op", tag="history", gc=False):
    """Events of a conversation, before or after a place; without either, the newest."""

    id: CommandId
    conv: str
    before: Position | None = None
    after: Position | None = None
    limit: Count = 50


class Open(Struct, tag_field="op", tag="open", gc=False):
    """This connection wants every event of a channel."""

    id: CommandId
    conv: str


class Close(Struct, tag_field="op", tag="close", gc=False):
    """And no longer."""

    id: CommandId
    conv: str


class GroupCreate(Struct, tag_field="op", tag="group.create", gc=False):
    """A new group or channel; who makes it owns it."""

    id: CommandId
    key: str
    group: str | None = None
    kind: Literal["group", "channel"] = "group"
    name: str = ""
    members: list[str] | None = None
    history: Literal["all", "joined"] = "all"


class GroupAdd(Struct, tag_field="op", tag="group.add", gc=False):
    """More members."""

    id: CommandId
    conv: str
    key: str
    members: list[str]


class GroupRemove(Struct, tag_field="op", tag="group.remove", gc=False):
    """Fewer members."""

    id: CommandId
    conv: str
    key: str
    members: list[str]


class GroupUpdate(Struct, tag_field="op", tag="group.update", gc=False):
    """Another name, or another role for a member."""

    id: CommandId
    conv: str
    key: str
    name: str | None = None
    user: str | None = None
    role: Literal["owner", "admin", "member"] | None = None


class GroupLeave(Struct, tag_field="op", tag="group.leave", gc=False):
    """The user leaves."""

    id: CommandId
    conv: str
    key: str


class GroupInfo(Struct, tag_field="op", tag="group.info", gc=False):
    """What a group is and who is in it."""

    id: CommandId
    conv: str


class GroupMembers(Struct, tag_field="op", tag="group.members", gc=False):
    """All members, page by page."""

    id: CommandId
    conv: str
    after: str | None = None
    limit: Count = 100


class Block(Struct, tag_field="op", tag="block", gc=False):
    """No direct messages from `user` any more."""

    id: CommandId
    user: str


class Unblock(Struct, tag_field="op", tag="unblock", gc=False):
    """Direct messages from `user` again."""

    id: CommandId
    user: str


class KeysPut(Struct, tag_field="op", tag="keys.put", gc=False):
    """The public keys of this device; an empty object takes those of any own device away."""

    id: CommandId
    keys: dict[str, Any]
    device: str | None = None


class KeysGet(Struct, tag_field="op", tag="keys.get", gc=False):
    """The public keys of all devices of a user."""

    id: CommandId
    user: str


class Outcome(Struct, tag_field="op", tag="outcome", gc=False):
    """What became of the command with this key, and who has it?"""

    id: CommandId
    key: str


class Watch(Struct, tag_field="op", tag="watch", gc=False):
    """Tell this connection who of them is there, now and from now on."""

    id: CommandId
    users: list[str]


class Unwatch(Struct, tag_field="op", tag="unwatch", gc=False):
    """And of these no longer."""

    id: CommandId
    users: list[str]


class Status(Struct, tag_field="op", tag="status", gc=False):
    """How present this device is."""

    id: CommandId
    state: Literal["online", "away", "invisible"]


class PushRegister(Struct, tag_field="op", tag="push.register", gc=False):
    """Push to this device when the user is away.

    `webhook`: `endpoint` names one of the operator's, `token` is what that one knows the device by.
    `webpush`: `endpoint`, `p256dh` and `auth` are those of a browser's subscription.
    """

    id: CommandId
    kind: Literal["webhook", "webpush"]
    endpoint: str
    token: str | None = None
    p256dh: str | None = None
    auth: str | None = None


class PushUnregister(Struct, tag_field="op", tag="push.unregister", gc=False):
    """And no longer."""

    id: CommandId


class Ping(Struct, tag_field="op", tag="ping", gc=False):
    """Are you there?"""

    id: CommandId | None = None


class Pong(Struct, tag_field="op", tag="pong", gc=False):
    """I am here."""

    id: CommandId | None = None


Change = Edit | Recall | React | GroupCreate | GroupAdd | GroupRemove | GroupUpdate | GroupLeave
"""Besides `Send`: what has a `key` and changes a conversation."""
Query = Conversations | HistoryQuery | GroupInfo | GroupMembers | Outcome
Ephemeral = Typing | Open | Close | Watch | Unwatch | Status
Command = (
    Send
    | Ack
    | Sync
    | Read
    | Connect
    | Refresh
    | Heartbeat
    | Ping
    | Pong
    | Change
    | Query
    | Ephemeral
    | Block
    | Unblock
    | PushRegister
    | PushUnregister
    | KeysPut
    | KeysGet
)


class CommandError(Struct, gc=False):
    """A command, or a whole message (then without `id` and `op`), that is wrong in itself."""

    id: int | None
    code: str
    message: str
    field: str | None = None
    op: str | None = None


OPS: Final = frozenset(
    {
        *("connect", "refresh", "send", "ack", "sync", "heartbeat", "ping", "pong"),
        *("edit", "recall", "react", "read", "typing", "conversations", "history", "open", "close"),
        *("group.create", "group.add", "group.remove", "group.update", "group.leave"),
        *("group.info", "group.members", "block", "unblock", "outcome"),
        *("watch", "unwatch", "status", "push.register", "push.unregister", "keys.put", "keys.get"),
    }
)
"""Every verb there is."""
