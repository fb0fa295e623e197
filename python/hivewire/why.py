"""`hivewire why`: what became of one message, step by step, from the node that had it."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

PIPE_WIDTH: Final = 240
STEPS: Final = {
    "received": "came in from the sender",
    "accepted": "checked, and given its place",
    "written": "to the log",
    "synced": "on stable storage",
    "queued": "answered, and given to every connected device",
}
REACHED: Final = {
    "written": ("written", "to the socket: its bytes are with the kernel"),
    "page": ("written", "with a page, at the latest: it came or caught up after the message"),
    "waiting": ("waiting", "in its outbox: it reads slowly; nothing taken since"),
    "handed": ("handed", "the engine has it, and has not flushed it"),
    "lost": ("lost", "its line ended first"),
    "catching_up": ("catching up", "connected, and reading pages"),
    "begins_later": ("begins later", "a new device: it begins behind the message"),
    "not_connected": ("not connected", "no line since the message"),
}
"""States of a device (`/api/v1/server/trace`): step and meaning."""


class Line(NamedTuple):
    """A line of the table."""

    at: float | None
    """Milliseconds since the Unix epoch; None: at no known time."""
    step: str
    user: str = ""
    device: str = ""
    what: str = ""


def lines(told: dict[str, Any]) -> list[Line]:
    """Everything that an answer of `/api/v1/server/trace` tells: by time, then what has none."""
    found = [Line(step["at"], step["step"], what=STEPS[step["step"]]) for step in told["steps"]]
    for device in told["own_devices"]:
        found += _device(told["from"], device, is_origin=device["device"] == told["device"])
    for one in told["recipients"]:
        found += _recipient(one)
    timed = sorted((line for line in found if line.at is not None), key=lambda line: line.at or 0)
    return timed + [line for line in found if line.at is None]


def _recipient(told: dict[str, Any]) -> Iterator[Line]:
    user = told["user"]
    for device in told["devices"]:
        yield from _device(user, device)
    if not told["devices"]:
        yield Line(None, "no device", user, what="it waits in the timeline")
    for push in told["pushes"]:
        step, device = f"push {push['step']}", push["device"] or ""
        yield Line(push["at"], step, user, device, push["detail"])
    for mark in ("delivered", "read"):
        is_so, at = told[mark], told[f"{mark}_at"]
        what = "" if at else "at a time that is forgotten" if is_so else "so far"
        yield Line(at, mark if is_so else f"not {mark}", user, what=what)


def _device(user: str, told: dict[str, Any], *, is_origin: bool = False) -> Iterator[Line]:
    device, reached = told["device"], told["reached"]
    if reached is not None:
        step, what = REACHED[reached["state"]]
        if is_origin and reached["state"] == "written":
            step, what = "answered", "`sent` written to the socket"
        if reached["at"] is None and step in {"written", "answered"}:
            what += "; the time is forgotten"
        yield Line(reached["at"], step, user, device, what)
        if reached["ended_at"] is not None:
            yield Line(reached["ended_at"], "line ended", user, device)
    if told["acked"] and told["acked_at"] is not None:
        yield Line(told["acked_at"], "acknowledged", user, device)
    elif not is_origin and (reached is None or reached["state"] != "begins_later"):
        what = f"up to {told['cursor']} of the timeline"
        yield Line(
            None, "acknowledged" if told["acked"] else "not acknowledged", user, device, what
        )


def picture(told: dict[str, Any]) -> RenderableType:
    """The answer for a terminal: one line a step, times beside the one of `accepted`."""
    device = f" with {told['device']}" if told["device"] else ""
    title = f"{told['type']} {told['n']} of {told['conv']}, from {told['from']}{device}"
    parts: list[RenderableType] = [Text(title, style="bold")]
    if not told["remembered"]:
        hint = "The times of its steps are forgotten: they are kept for the newest messages."
        parts.append(Text(hint, style="yellow"))
    if not told["recipients"]:
        parts.append(Text("Nobody else is told of: a channel, or a chat with oneself."))
    table = Table(box=None, pad_edge=False)
    table.add_column("at", no_wrap=True)
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("step", no_wrap=True)
    for name in ("user", "device", "what"):
        table.add_column(name, overflow="fold")
    start = next((step["at"] for step in told["steps"] if step["step"] == "accepted"), told["ts"])
    for line in lines(told):
        at, after = ("", "") if line.at is None else (clock(line.at), passed(line.at - start))
        table.add_row(at, after, line.step, line.user, line.device, line.what)
    return Group(*parts, table)


def show(answer: str) -> None:
    """Print the node's answer, JSON, as a table; into a pipe with lines as long as they are."""
    wide = None if sys.stdout.isatty() else PIPE_WIDTH
    Console(width=wide, highlight=False).print(picture(msgspec.json.decode(answer)))


def clock(at: float) -> str:
    """The time of day, here, to the millisecond."""
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%H:%M:%S.%f")[:-3]


def passed(ms: float) -> str:
    """How much later, or earlier."""
    if abs(ms) < 1000:
        return f"{ms:+.1f} ms"
    return f"{ms / 1000:+.1f} s" if abs(ms) < 600_000 else f"{ms / 60_000:+.0f} min"
