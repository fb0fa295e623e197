"""Who is in what, how far everybody has got, and where each device is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.store import keys, pushes
from hivewire.store.verify.rows import (
    all_rows,
    conversation_row,
    direct_members,
    event_at,
    floor_of,
    head_of_conversation,
    head_of_timeline,
    rows_under,
    user_row,
)

if TYPE_CHECKING:
    from hivewire.store import Store
    from hivewire.store.verify.report import Report

ROLES = range(keys.ROLE_MEMBER, keys.ROLE_OWNER + 1)
"""Of members of groups and channels."""


def check_members(store: Store, report: Report) -> None:
    """A membership stands in both directions, says the same in both, and what the events say."""
    for key, value in all_rows(store, "members", report):
        name, raw = keys.split(key)
        other = raw.decode()
        if ":" in name:
            _check_member(store, report, name, other, value)
        elif raw.startswith(keys.BLOCK_SUFFIX):
            if value != keys.BLOCK_VALUE:
                report.add("row", name, f"a block of unknown version: {value[:8].hex()}")
        else:
            _check_membership(store, report, name, other, value)


def _check_member(store: Store, report: Report, conv: str, user: str, value: bytes) -> None:
    """A row that says that a group or channel has this member."""
    member = keys.parse_member_value(value)
    conversation = conversation_row(store, conv)
    if conversation is None:
        report.add("reference", conv, f"{user} is a member of no conversation")
    elif conversation.kind != member.kind:
        report.add("member", conv, f"{user} is in it as in one of kind {member.kind}")
    if store.get(store.columns.members, keys.prefix(user) + conv.encode()) != value:
        report.add("member", conv, f"{user} knows nothing of it, or something else")
    if member.role not in ROLES:
        report.add("member", conv, f"{user} has the role {member.role}")
    if member.since and not _came(store, conv, user, member.since):
        report.add("member", conv, f"{user} did not come with n {member.since}")


def _came(store: Store, conv: str, user: str, n: int) -> bool:
    event = event_at(store, conv, n)
    if event is None or event["type"] != "membership":
        return False
    return any((c["user"], c["change"]) == (user, "added") for c in event["changes"])


def _check_membership(store: Store, report: Report, user: str, conv: str, value: bytes) -> None:
    """A row that says that a user is in this conversation."""
    member = keys.parse_member_value(value)
    if not head_of_conversation(store, conv):
        report.add("reference", user, f"a member of {conv}, which has no events")
    if conv.startswith("direct:"):
        if user not in direct_members(conv) or member.kind != keys.KIND_DIRECT:
            report.add("row", user, f"recorded as a member of {conv}")
    elif store.get(store.columns.members, keys.prefix(conv) + user.encode()) != value:
        report.add("member", user, f"{conv} does not have this member, or as something else")
    if member.kind == keys.KIND_CHANNEL and user_row(store, user) is None:
        report.add("member", user, f"is in {conv}, and no channel is counted")
    if not head_of_timeline(store, user) and floor_of(store, user) == 1:
        report.add("fan-out", user, f"a member of {conv}, but has no timeline")


def check_marks(store: Store, report: Report) -> None:
    """No mark is above its conversation's head, read implies delivered, channels are counted."""
    for key, value in all_rows(store, "marks", report):
        name, suffix = keys.split(key)
        if ":" in name:
            _check_mark(store, report, name, suffix.decode(), keys.parse_mark_value(value))
        elif suffix:
            keys.parse_seen_value(value)
        else:
            _check_user(store, report, name, keys.parse_user_value(value))


def _check_mark(store: Store, report: Report, conv: str, user: str, mark: keys.MarkRow) -> None:
    head = head_of_conversation(store, conv)
    if not mark.read <= mark.delivered <= head:
        said = f"delivered {mark.delivered}, read {mark.read}, its head is {head}"
        report.add("mark", conv, f"{user}: {said}")


def _check_user(store: Store, report: Report, user: str, row: keys.UserRow) -> None:
    prefix, members = keys.prefix(user), store.columns.members
    start = prefix + keys.CONVERSATION_SUFFIX
    channels = sum(
        keys.parse_member_value(value).kind == keys.KIND_CHANNEL
        for _, value in rows_under(store, members, start, keys.range_end(prefix))
    )
    if channels != row.channels:
        report.add("member", user, f"is in {channels} channels, the row says {row.channels}")
    begin, end = pushes.registered_range(user)
    pushed = sum(1 for _ in rows_under(store, store.columns.devices, begin, end))
    if pushed != row.pushed:
        report.add("push", user, f"has {pushed} devices registered, the row says {row.pushed}")


def check_cursors(store: Store, report: Report) -> None:
    """I6: no device is ahead of its user's timeline."""
    for key, value in all_rows(store, "cursors", report):
        user, device = keys.split(key)
        cursor, head = keys.parse_cursor_value(value).cursor, head_of_timeline(store, user)
        if cursor > head:
            report.add("cursor", f"{user} {device.decode()}", f"{cursor} is above the head, {head}")
