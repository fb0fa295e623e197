"""An audit log: a line of JSON for everything that happened, in the order of each conversation.

    AUDIT_LOG=audit.jsonl hivewire serve --dev examples.audit:app

Events are written after they are durable. What happened while the process was killed is missing
here and not in the conversations: the log is a copy, the node's data is the truth.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any, TextIO

import hivewire

PATH = Path(os.environ.get("AUDIT_LOG", "audit.jsonl"))

app = hivewire.App()
files: list[TextIO] = []


@app.on_start
async def begin() -> None:
    """Open the file before anybody connects: a node that cannot write its log does not start."""
    files.append(await asyncio.to_thread(PATH.open, "a", buffering=1, encoding="utf-8"))


@app.on_stop
async def end() -> None:
    """Close it when everything has been written."""
    files.pop().close()


@app.on_event
async def note_event(event: hivewire.Event) -> None:
    """Write what was said or changed, as everybody got it."""
    write("event", event.body)


@app.on_offline
async def note_missed(event: hivewire.Event, user: str) -> None:
    """Write whom it did not reach at once."""
    write("missed", {"conv": event.conv, "n": event.n, "user": user})


@app.on_connect
async def note_coming(session: hivewire.Session) -> None:
    """Write who comes, and remember when."""
    session.state["since"] = time.monotonic()
    write("connect", {"user": session.user, "device": session.device, "session": session.id})


@app.on_disconnect
async def note_going(session: hivewire.Session, code: int) -> None:
    """Write who goes, why, and after how long."""
    seconds = round(time.monotonic() - session.state["since"], 3)
    write("disconnect", {"session": session.id, "code": code, "seconds": seconds})


def write(what: str, fields: dict[str, Any]) -> None:
    """Append a line; it has left the process when this returns."""
    line = {"at": int(time.time() * 1000), "what": what, **fields}
    files[0].write(json.dumps(line, ensure_ascii=False) + "\n")
