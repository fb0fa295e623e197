"""Proof of the invariants on disk: what `hivewire verify` does while no node runs.

Reads each column family once in order of its keys, and looks up what the rows refer to. Memory is
bounded by the conversations of one user and by the groups that became channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hivewire.store import StoreCorrupt, keys
from hivewire.store.timelines import replay
from hivewire.store.verify.access import check_devices, check_revocations
from hivewire.store.verify.log import check_conversations, check_keys, check_messages
from hivewire.store.verify.media import check_media
from hivewire.store.verify.members import check_cursors, check_marks, check_members
from hivewire.store.verify.pushes import check_outbox
from hivewire.store.verify.report import REPORTED_PROBLEMS, Problem, Report
from hivewire.store.verify.timelines import check_timelines

if TYPE_CHECKING:
    from hivewire.store import Store

__all__ = ["REPORTED_PROBLEMS", "Problem", "Report", "verify"]

_CHECKS = (
    check_messages,
    check_conversations,
    check_timelines,
    check_members,
    check_marks,
    check_keys,
    check_cursors,
    check_devices,
    check_outbox,
    check_media,
    check_revocations,
)


def verify(store: Store) -> Report:
    """Prove a store that nobody writes to.

    No place is missing or taken twice, no row refers to what is not there, what is said twice is
    said the same, and each event is in the timeline of everybody who was a member, exactly once. A
    row that cannot be read is a problem too, and ends the look at its column family.

    What a crash left in `fanout` is put into timelines first, as the next start would do.
    """
    report = Report()
    for check in (_check_fanout, *_CHECKS):
        try:
            check(store, report)
        except (keys.RowError, msgspec.DecodeError, ValueError, KeyError, TypeError) as error:
            name = check.__name__.lstrip("_").removeprefix("check_")
            report.add("row", name, f"unreadable: {error}")
    return report


def _check_fanout(store: Store, report: Report) -> None:
    try:
        replay(store)
    except StoreCorrupt as error:
        report.add("seq", "fanout", str(error))
