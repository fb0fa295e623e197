"""How far each device of a user was reached by a message, as the trace of the message tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from hivewire.following import connection_id
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.api.context import Context, Passage
    from hivewire.delivery.trace import Followed, Record

DEVICES: Final = 50
"""Devices of a recipient that are told of."""


class Reached(Struct):
    """How far a device was reached. Times are milliseconds since the Unix epoch.

    `state` is one of:

    - `written`: its bytes left for the kernel, at `at` (null: that is forgotten). Whether they
      arrived, only the device can say: see `acked`.
    - `page`: it connected or caught up later, and a page with the message left for the kernel, at
      `at` at the latest.
    - `waiting`: in the outbox of a line that reads slowly, nothing of which was taken since `at`.
    - `handed`: the engine has it, and its next turn has not come to its end.
    - `lost`: the line ended at `at`, before the kernel had the message.
    - `catching_up`: connected, but pages have not brought it to the head of its timeline.
    - `begins_later`: it connected for the first time after the message, and begins behind it.
    - `not_connected`: it has had no line since.
    """

    state: str
    at: float | None
    ended_at: float | None
    """When that line ended; null while it is there."""


class DeviceTrace(Struct):
    """How a device stands to the message."""

    device: str
    connected: bool
    reached: Reached | None
    """Null where the steps of the message are forgotten."""
    cursor: int
    """The place in the user's timeline that it has acknowledged."""
    acked: bool | None
    """Whether that is past the message; null where the place of the message is forgotten."""
    acked_at: float | None
    connection: str | None
    """The one it has now, as the log names it."""


def devices(
    context: Context, user: str, seq: int | None, followed: Followed | None
) -> list[DeviceTrace]:
    """Every device of a user that the node knows."""
    store = context.services.view.store
    connected = set(context.services.devices(user))
    lines = {device: connection_id(conn) for conn, device in context.sessions(user)}
    passages = context.passages(user, followed.record.number) if followed else []
    prefix = keys.prefix(user)
    rows = store.scan(store.columns.cursors, prefix, keys.range_end(prefix), DEVICES)
    found: list[DeviceTrace] = []
    for key, value in rows:
        device = key[len(prefix) :].decode()
        cursor = keys.parse_cursor_value(value).cursor
        now = lines.get(device)
        told = DeviceTrace(device, device in connected, None, cursor, None, None, now)
        if seq is not None:
            told.acked = cursor >= seq
        if followed is not None:
            told.acked_at = followed.acked.get((user, device))
            own = [passage for passage in passages if passage[0] == device]
            begins_later = (user, device) in followed.begun
            told.reached = reached(followed.record, own, told.acked_at, begins_later=begins_later)
        found.append(told)
    return found


def reached(
    record: Record, passages: list[Passage], acked_at: float | None, *, begins_later: bool
) -> Reached:
    """What the passages of a device say of a message.

    Args:
        record: The group of the message.
        passages: Those of the device, in the order of its connections.
        acked_at: When it had acknowledged the message.
        begins_later: Whether it is a new one that begins behind the message.
    """
    if begins_later:
        return Reached("begins_later", None, None)
    found = [
        state
        for passage in passages
        if not 0 < passage[4] < record.submitted_ns
        and (state := _state(record, passage)) is not None
        and not _is_needless(state, acked_at)
    ]
    through = [state for state in found if state.state in {"written", "page"}]
    if through:
        return through[0]
    return found[-1] if found else Reached("not_connected", None, None)


def _state(record: Record, passage: Passage) -> Reached | None:
    _, way, fate, at_ns, ended_ns = passage
    at, ended_at = (round(record.wall_ms(ns), 3) if ns else None for ns in (at_ns, ended_ns))
    if fate is None:
        # A line that ended while it caught up may have had the message, and did not say so.
        return None if ended_ns else Reached("catching_up", None, None)
    return Reached("page" if way == "page" and fate == "written" else fate, at, ended_at)


def _is_needless(reached: Reached, acked_at: float | None) -> bool:
    """Whether a page came after the device had acknowledged the message: it was not in that."""
    if reached.state != "page" or reached.at is None or acked_at is None:
        return False
    return acked_at < reached.at
