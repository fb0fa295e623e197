"""What the product promises to do, row by row, and how a test says that it shows one.

A test names its rows in its own name, in the words of the table: `test_m2_a_group_is_renamed`
shows M2, `test_m7_i5_one_order` shows M7. `shown_by` reads the names from the sources, so that a
row which lost its last test is found.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROWS = {
    "M1": "one-to-one chat: every online device of both gets a message at once",
    "M2": "groups: create, add, remove, leave, rename, roles",
    "M3": "channels: one log, pushes to who has it open; all history or from joining",
    "M4": "text, media (picture, video, any file), data; edit, recall, reply, reaction, mention",
    "M5": "stored before the sender is answered and before anyone sees it",
    "M6": "a resend with the same key is safe; a changed body under it is refused",
    "M7": "one order per user on all devices, one order per conversation",
    "M8": "contiguous numbers; a gap and a lost tail are seen and repaired; after a crash too",
    "M9": "delivered and read marks, unread counts, typing",
    "M10": "outcome: did my send get through, and who has it?",
    "O1": "everything for an absent user, in pages, the next acknowledging the one before",
    "O2": "several devices, each with its own cursor; a same-named device replaces",
    "O3": "full history on any device, both ways; counts first for late loaders",
    "O4": "the last 15 messages of the last 5 conversations at connect",
    "O6": "block lists; rate limits",
    "C2": "heartbeats: only when idle, dead after two missed, with the head",
    "C3": "presence: online, away, offline, last seen; no storm from a flapping device",
    "C5": "long polling without a WebSocket; rtm.send and rtm.receive",
    "C7": "TLS; tokens of published keys that rotate; origin check",
    "C8": "discover: where a user should connect",
    "P5": "application hooks in Python",
    "P8": "end-to-end encryption: opaque bodies, keys per device",
}
"""The rows that a client on the wire can see today."""


def shown_by(folder: Path) -> dict[str, list[str]]:
    """Return the tests of a folder by the row that they show, as `file::test`."""
    shown: dict[str, list[str]] = {row: [] for row in ROWS}
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for row in _rows_of(node.name):
                    shown[row].append(f"{path.name}::{node.name}")
    return shown


def _rows_of(name: str) -> set[str]:
    """Rows that a test's name carries in front: `test_m6_i4_…` has M6."""
    if not name.startswith("test_"):
        return set()
    lead = re.match(r"test_((?:[a-z]\d+_)*)", name)
    assert lead is not None
    return {part.upper() for part in lead[1].split("_") if part} & set(ROWS)
