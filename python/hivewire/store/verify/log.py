"""Conversations: their events, what became of their messages, and the keys that made them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.store import keys
from hivewire.store.timelines import reference_at
from hivewire.store.verify.media import check_named
from hivewire.store.verify.report import Channel
from hivewire.store.verify.rows import (
    all_rows,
    body_of,
    conversation_row,
    direct_members,
    event_at,
    floor_of,
    head_of_conversation,
    is_direct,
    rows_under,
    state_at,
)

if TYPE_CHECKING:
    from hivewire.store import Store
    from hivewire.store.verify.report import Report
    from hivewire.store.verify.rows import Body

KEPT = frozenset({"type", "recalled", "conv", "n", "from", "key", "ts", "target"})
"""What a recalled message, or an edit of it, still says."""
MADE = {
    keys.OP_SEND: {"message"},
    keys.OP_EDIT: {"edit"},
    keys.OP_RECALL: {"recall"},
    keys.OP_REACT: {"reaction"},
    keys.OP_CREATE: {"membership"},
    keys.OP_ADD: {"membership", "conversation"},
    keys.OP_REMOVE: {"membership"},
    keys.OP_UPDATE: {"membership", "conversation"},
    keys.OP_LEAVE: {"membership"},
}
"""By op of a key: the type of the last event that it made."""
MAY_MAKE_NOTHING = frozenset({keys.OP_ADD, keys.OP_REMOVE, keys.OP_UPDATE})
"""Who adds a member again changes nothing, and the answer is the head."""


def check_messages(store: Store, report: Report) -> None:
    """I3 in conversations: `n` is 1, 2, 3 …; each body says where it is; its key row is there."""
    expected: tuple[str, int] = ("", 1)
    for key, value in all_rows(store, "messages", report):
        conv, n = keys.split_position(key)
        if conv != expected[0]:
            expected = (conv, 1)
            _check_record(store, report, conv)
        if n != expected[1]:
            report.add("n", conv, f"n {expected[1]} is missing: the next is {n}")
        expected = (conv, n + 1)
        body = body_of(keys.message_body(value))
        if (body["conv"], body["n"]) != (conv, n):
            report.add("reference", conv, f"n {n} holds an event of {body['conv']} n {body['n']}")
        _check_key_of(store, report, conv, n, body)
        _check_body(store, report, conv, n, body)
        check_named(store, report, conv, n, body)
        if body["type"] == "conversation" and body["kind"] == "channel":
            report.channels.setdefault(conv, Channel(n)).said = n


def _check_record(store: Store, report: Report, conv: str) -> None:
    """A conversation has its row, and each member of a direct one knows of it."""
    if conversation_row(store, conv) is None:
        report.add("reference", conv, "there are events but no conversation")
    for member in direct_members(conv):
        if store.get(store.columns.members, keys.prefix(member) + conv.encode()) is None:
            report.add("fan-out", conv, f"{member} is not recorded as a member")


def _check_key_of(store: Store, report: Report, conv: str, n: int, body: Body) -> None:
    """I4: the key of an event leads to it; one that made two events leads to the second."""
    row = keys.prefix(body["from"]) + body["key"].encode()
    value = store.get(store.columns.keys, row)
    used = None if value is None else keys.parse_key_value(value)
    leads = (n, n + 1) if body["type"] in ("membership", "conversation") else (n,)
    if used is None or (used.conv, used.ts) != (conv, body["ts"]) or used.n not in leads:
        report.add("key", conv, f"n {n}: the key row of {body['from']} {body['key']} differs")


def _check_body(store: Store, report: Report, conv: str, n: int, body: Body) -> None:
    """What a message says now, and what a change of it says, agree with the row of its state."""
    kind = body["type"]
    if kind in ("membership", "conversation"):
        return
    target = n if kind == "message" else body["target"]
    state = state_at(store, conv, target) or {}
    is_gone = "recalled" in state
    if kind in ("message", "edit") and body.get("recalled") != state.get("recalled"):
        report.add("state", conv, f"n {n}: its message is {'' if is_gone else 'not '}recalled")
    if "recalled" in body and not body.keys() <= KEPT:
        report.add("state", conv, f"n {n} was recalled and still has its body")
    if kind == "edit" and not is_gone and n not in state.get("edits", ()):
        report.add("state", conv, f"n {n} is no edit that message {target} knows of")
    if kind == "recall" and not is_gone:
        report.add("state", conv, f"n {n} recalls message {target}, which is still there")
    if target > n:
        report.add("reference", conv, f"n {n} changes message {target}, which comes later")


def check_conversations(store: Store, report: Report) -> None:
    """Each conversation's row agrees with its name; each message's state with what it refers to."""
    state = _State(report, "", 0, {})
    for key, value in all_rows(store, "conversations", report):
        conv, suffix = keys.split(key)
        n = int.from_bytes(suffix[:8], "big")
        if len(suffix) > 8:
            state.reaction(conv, n, suffix[8:])
            continue
        state.end()
        state = _State(report, "", 0, {})
        if suffix:
            state = _State(report, conv, n, body_of(keys.message_body(value)))
            _check_state(store, report, state)
        else:
            _check_kind(store, report, conv, keys.parse_conversation_value(value))
    state.end()


def _check_kind(store: Store, report: Report, conv: str, row: keys.ConversationRow) -> None:
    kinds = {
        "direct": (keys.KIND_DIRECT,),
        "group": (keys.KIND_GROUP, keys.KIND_CHANNEL),
        "channel": (keys.KIND_CHANNEL,),
    }
    if row.kind not in kinds[conv.partition(":")[0]]:
        report.add("member", conv, f"is of kind {row.kind}")
    if not head_of_conversation(store, conv):
        report.add("reference", conv, "a conversation without an event")
    size = len(direct_members(conv)) if is_direct(conv) else _count_members(store, conv)
    if row.size != size:
        report.add("member", conv, f"has {size} members, its row says {row.size}")


def _count_members(store: Store, conv: str) -> int:
    prefix = keys.prefix(conv)
    return sum(1 for _ in rows_under(store, store.columns.members, prefix, keys.range_end(prefix)))


class _State:
    """What became of one message, and the reactions that its rows still have to bring."""

    def __init__(self, report: Report, conv: str, n: int, body: Body) -> None:
        self._report = report
        self.conv = conv
        self.n = n
        self.body = body
        self._due: dict[str, int] = dict(body.get("counts", {}))

    def reaction(self, conv: str, n: int, rest: bytes) -> None:
        """A row that says that somebody's emoji is on a message."""
        emoji = rest.partition(b"\0")[0].decode()
        if (conv, n) != (self.conv, self.n):
            self._report.add("state", conv, f"{emoji} on message {n}, which has no state")
        elif "recalled" not in self.body:
            self._due[emoji] = self._due.get(emoji, 0) - 1

    def end(self) -> None:
        """Each emoji was there as often as it was counted."""
        for emoji, left in self._due.items():
            if left:
                self._report.add("state", self.conv, f"message {self.n}: {left} {emoji} too many")


def _check_state(store: Store, report: Report, state: _State) -> None:
    """It is of a message that is there; an edited one says what its last edit says."""
    conv, n, body = state.conv, state.n, state.body
    message = event_at(store, conv, n)
    if message is None or message["type"] != "message":
        report.add("reference", conv, f"what became of n {n}, which is no message")
        return
    edits = [event_at(store, conv, edit) for edit in body.get("edits", ())]
    if any(edit is None or (edit["type"], edit["target"]) != ("edit", n) for edit in edits):
        report.add("reference", conv, f"message {n} has an edit that is not there")
    elif edits and edits[-1] is not None and edits[-1].get("text") != body["text"]:
        report.add("state", conv, f"message {n} says something else than its last edit")


def check_keys(store: Store, report: Report) -> None:
    """I4: a key refers to the event it made, at the place that its answer told."""
    for key, value in all_rows(store, "keys", report):
        user, suffix = keys.split(key)
        used = keys.parse_key_value(value)
        where = f"{user} {suffix.decode()}"
        message_key = keys.prefix(used.conv) + keys.position(used.n)
        event = event_at(store, used.conv, used.n)
        if event is None:
            report.add("key", where, f"made {used.conv} n {used.n}, which is not there")
            continue
        if (event["from"], event["key"]) != (user, suffix.decode()):
            # Nothing was changed: then the answer told the head, which is somebody's event.
            if used.op not in MAY_MAKE_NOTHING or used.seq:
                report.add("key", where, f"made {used.conv} n {used.n}, which says otherwise")
            continue
        if event["ts"] != used.ts or event["type"] not in MADE[used.op]:
            report.add("key", where, f"made {used.conv} n {used.n}, which is something else")
        if used.seq >= floor_of(store, user):
            there = reference_at(store, user, used.seq)
            if there is None or there.message_key != message_key:
                report.add("key", where, f"was answered seq {used.seq}, which is something else")
