"""Who is registered for pushes, and what is on its way to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.store import keys, pushes
from hivewire.store.timelines import reference_at
from hivewire.store.verify.rows import all_rows, event_at, floor_of, head_of_timeline, user_row

if TYPE_CHECKING:
    from hivewire.store import Store
    from hivewire.store.pushes import OutboxKey
    from hivewire.store.verify.report import Report

KINDS = frozenset({"webhook", "webpush"})


def check_registration(store: Store, report: Report, user: str, device: str, value: bytes) -> None:
    """A registration can be read and is counted with its user."""
    if pushes.parse_registration(value).kind not in KINDS:
        report.add("push", user, f"{device} is registered for something unknown")
    row = user_row(store, user)
    if row is None or not row.pushed:
        report.add("push", user, f"{device} is registered, and nobody counted it")


def check_outbox(store: Store, report: Report) -> None:
    """What is on its way, was shown or given up is of a message that is there, in its place."""
    for key, value in all_rows(store, "outbox", report):
        place = pushes.split_outbox_key(key)
        conv, n, is_message = _about(place, value)
        event = event_at(store, conv, n)
        if event is None or event["type"] != "message":
            report.add("reference", place.user, f"a push of {conv} n {n}, which is no message")
        elif place.seq > head_of_timeline(store, place.user):
            report.add("push", place.user, f"seq {place.seq} in the outbox is above the head")
        elif is_message and place.seq >= floor_of(store, place.user):
            there = reference_at(store, place.user, place.seq)
            if there is None or there.message_key != keys.prefix(conv) + keys.position(n):
                report.add("push", place.user, f"seq {place.seq} is not {conv} n {n}")


def _about(place: OutboxKey, value: bytes) -> tuple[str, int, bool]:
    """The message that a row is about, and whether the row's `seq` is that message's."""
    if place.kind == "shown":
        return place.conv, pushes.parse_shown(value).n, False
    if place.kind == "dead":
        dead = pushes.parse_dead(value)
        return dead.conv, dead.n, dead.what == pushes.MESSAGE
    if place.kind == "push":
        push = pushes.parse_push(value)
        return push.conv, push.n, push.what == pushes.MESSAGE
    held = pushes.parse_held(value)
    return held.conv, held.n, True
