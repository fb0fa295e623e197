"""Bugs that an SDK might have, planted one by one: each must make a scenario fail.

A scenario that every client passes proves nothing. `Mutant` replaces a line of the Python client or
of hivewire.js in a copy of the package; the scenario named beside it has to notice.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.sdk.application import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = ROOT / "python"
JS = "web/hivewire.js"


@dataclass(frozen=True)
class Mutant:
    """A bug: in `file`, `right` becomes `wrong`."""

    bug: str
    scenario: str
    file: str
    right: str
    wrong: str

    @property
    def sdk(self) -> str:
        return "js" if self.file == JS else "python"

    def plant(self, folder: Path) -> Path:
        """A copy of the package that has the bug; gives the folder that it lies in."""
        shutil.copytree(
            PACKAGE / "hivewire",
            folder / "hivewire",
            ignore=shutil.ignore_patterns("*.so", "__pycache__"),
        )
        path = folder / "hivewire" / self.file
        text = path.read_text()
        assert text.count(self.right) == 1, f"{self.file} has no single {self.right!r}"
        path.write_text(text.replace(self.right, self.wrong))
        return folder


def _both(
    bug: str, scenario: str, python: tuple[str, str, str], js: tuple[str, str]
) -> list[Mutant]:
    """The same bug in both SDKs."""
    return [
        Mutant(bug, scenario, f"client/{python[0]}.py", *python[1:]),
        Mutant(bug, scenario, JS, *js),
    ]


MUTANTS = [
    *_both(
        "shows an event twice",
        "an event that comes twice",
        ("session", "if event.seq == self.seen + 1:", "if event.seq >= self.seen:"),
        ("if (event.seq === this.seen + 1) {", "if (event.seq >= this.seen) {"),
    ),
    *_both(
        "jumps over a hole",
        "a hole",
        ("session", "if event.seq == self.seen + 1:", "if event.seq > self.seen:"),
        ("if (event.seq === this.seen + 1) {", "if (event.seq > this.seen) {"),
    ),
    *_both(
        "does not look at the heartbeat's head",
        "a hole at the tail, told by the heartbeat",
        ("session", "if self.live and head > self.seen:", "if head < 0:"),
        ("if (head > this.seen) this.live", "if (head < 0) this.live"),
    ),
    *_both(
        "sends again under another key",
        "cut after a send, before its answer",
        (
            "outgoing",
            '"id": pending.id, **pending.command}',
            '"id": pending.id, **pending.command, "key": f"again-{pending.id:08}"}',
        ),
        (
            "this.#transmit({ op, id: pending.id, ...fields });",
            "this.#transmit({ op, id: pending.id, ...fields, key: newKey() });",
        ),
    ),
    *_both(
        "forgets what was said offline",
        "what was said offline goes out after a crash",
        ("outgoing", 'changes = [Change("outbox", pending.row or "", command)]', "changes = []"),
        ('write([{ table: "outbox", name: row, value: command }])', "write([])"),
    ),
    *_both(
        "forgets its place",
        "closed, and opened again",
        ("keeping", "if consumed is not None:\n            changes", "if 0:\n            changes"),
        ("if (consumed !== undefined)\n      changes.push", "if (0)\n      changes.push"),
    ),
    *_both(
        "keeps records of other data",
        "the node comes back with other data while the application is away",
        ("keeping", "if reset:", "if 0:"),
        ('if (loss === "reset") this.#kept', "if (0) this.#kept"),
    ),
    *_both(
        "comes back at once after a 503",
        "refused by 503 with Retry-After",
        ("backoff", "self._not_before = seconds", "self._not_before = 0.0"),
        ("this.#notBefore = seconds;", "this.#notBefore = 0;"),
    ),
    *_both(
        "lets later messages overtake one that was put off",
        "put off by the server, in order all the same",
        ("outgoing", "lane_of(command, self.me, self._last_order)", "str(self._last_order)"),
        ("row ? laneOf(command, this.#me)", "row ? row"),
    ),
    *_both(
        "comes back after it was replaced",
        "replaced by another program of the same device",
        ("lines", "*range(4000, 4500)", "*range(4000, 4600)"),
        ("code < 4500", "code < 4600"),
    ),
    *_both(
        "lets the token end",
        "a token is refreshed before it ends",
        ("renewal", "self._fetch is None or not", "True or not"),
        ('typeof token !== "function" || typeof', "true || typeof"),
    ),
    *_both(
        "does not ask for the receipts that it missed",
        "read while offline",
        ("client", "if self._following:", "if 0:"),
        ("if (this.#followed.size === 0)", "if (1)"),
    ),
]
