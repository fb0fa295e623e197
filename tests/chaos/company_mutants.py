"""Bugs of groups, channels, edits and marks, planted into a node that really runs.

`python tests/chaos/company_mutants.py NAME serve …`, as in `mutants`.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from hivewire.delivery import Delivery

SHOWN_SECONDS = 0.005
"""Long enough for the engine to write out what it was given."""


def removed_member_still_receives() -> None:
    """Who was taken out of a group stays on the list by which its events go out."""
    from hivewire.core import apply_change, entries

    drop = apply_change._EFFECTS[entries.DropMember]

    def drop_rows_only(effect: Any, entry: Any, view: Any, *rest: Any) -> None:
        state = view.existing(entry.conv)
        roles, members = dict(state.roles), state.members
        drop(effect, entry, view, *rest)
        state.roles, state.members = roles, members

    apply_change._EFFECTS[entries.DropMember] = drop_rows_only


def group_message_misses_a_member() -> None:
    """A message to more than two is not written for one of them."""
    from hivewire.core import plan

    place = plan._place

    def place_for_most(*arguments: Any, **named: Any) -> Any:
        entry = place(*arguments, **named)
        if len(entry.members) > 2:
            others = [member for member in entry.members if member[0] != entry.user]
            entry.members = tuple(member for member in entry.members if member != others[-1])
        return entry

    plan._place = place_for_most


def recall_keeps_the_body() -> None:
    """A recalled message is marked as such, and still says what it said."""
    from hivewire.core import events

    events.recalled = lambda body, ts: {"type": body["type"], "recalled": ts, **body}


def unread_counts_own() -> None:
    """One's own messages count as unread."""
    from hivewire.core import unread

    unread._others = lambda authors, _: len(authors) - authors.count("")


def read_mark_goes_back() -> None:
    """Who reads an older place has read less again."""
    from hivewire.core.entries import MarkEntry
    from hivewire.core.marks import Covered, Marks

    def move(self: Marks, conv: str, user: str, delivered: int, read: int, authors: Any) -> bool:
        before = self.load(conv, user)
        entry = MarkEntry(user, conv, max(delivered, before.delivered), read or before.read)
        self._moved[conv, user] = Covered(entry, authors)
        return True

    Marks.move = move  # type: ignore[method-assign]


def edit_shown_before_durable() -> None:
    """Changes of messages and groups go out when they are decided, and are written later."""
    change = Delivery.change

    def change_and_show(self: Delivery, *arguments: Any) -> None:
        change(self, *arguments)
        _show_now(self, {self.ops.event, self.ops.events})

    Delivery.change = change_and_show  # type: ignore[method-assign]


def channel_event_before_durable() -> None:
    """Who has a channel open sees its messages before they are written."""
    send = Delivery.send

    def send_and_publish(self: Delivery, *arguments: Any) -> None:
        send(self, *arguments)
        _show_now(self, {self.ops.publish})

    Delivery.send = send_and_publish  # type: ignore[method-assign]


def _show_now(delivery: Delivery, kinds: set[int]) -> None:
    """Let out what the last entry has just owed, as far as it is of these kinds."""
    owed = delivery.journal.rotate_if_full().payload
    early = []
    while owed.ops and (owed.ops[-1][0] in kinds or owed.ops[-1][0] == delivery.ops.publish):
        early.append(owed.ops.pop())
    early = [op for op in early if op[0] in kinds]
    if early:
        delivery._engine.submit(early[::-1])
        time.sleep(SHOWN_SECONDS)


COMPANY_MUTANTS = {
    mutant.__name__: mutant
    for mutant in (
        removed_member_still_receives,
        group_message_misses_a_member,
        recall_keeps_the_body,
        unread_counts_own,
        read_mark_goes_back,
        edit_shown_before_durable,
        channel_event_before_durable,
    )
}

if __name__ == "__main__":
    from hivewire.cli import main

    COMPANY_MUTANTS[sys.argv.pop(1)]()
    main()
