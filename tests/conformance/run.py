"""All cases of RFC 6455 and RFC 7692 (the Autobahn cases, run by kosoku) against `hivewire echo`.

`python tests/conformance/run.py` runs all of them, group by group, and writes docs/conformance.md
with the figure; it exits with 1 when a case failed. The tests run a part of them through
`run_cases`.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "conformance.md"
PASSED = frozenset({"OK", "NON-STRICT", "INFORMATIONAL"})
LIMITS: tuple[str, ...] = ()
RAISED = ("--max-message", "16M", "--max-fragments", "70000", "--deflate")
"""Groups 9, 12 and 13 send up to 16 MiB, and 4 MiB in fragments of 64 bytes."""
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "1": ("Framing", LIMITS),
    "2": ("Pings and pongs", LIMITS),
    "3": ("Reserved bits", LIMITS),
    "4": ("Opcodes", LIMITS),
    "5": ("Fragmentation", LIMITS),
    "6": ("UTF-8", LIMITS),
    "7": ("Close handshake", LIMITS),
    "9": ("Limits and performance", RAISED),
    "10": ("Miscellaneous", LIMITS),
    "12": ("Compression, parameters as they come", RAISED),
    "13": ("Compression, windows and offers", RAISED),
}
CASES_OF_THE_SUITE = 517


@dataclass(frozen=True)
class Verdict:
    """How one case went."""

    case: str
    behavior: str
    behavior_close: str

    @property
    def passed(self) -> bool:
        return self.behavior in PASSED and self.behavior_close in PASSED


@contextmanager
def echo(flags: Sequence[str]) -> Iterator[str]:
    """Run `hivewire echo` on a free port; gives HOST:PORT."""
    command = [sys.executable, "-m", "hivewire", "echo", "--edge", "127.0.0.1:0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            yield _ready(process)
        finally:
            process.terminate()
            process.wait(20)


def _ready(process: subprocess.Popen[bytes]) -> str:
    """Wait for the ready line and return its address."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(20):
            raise TimeoutError("hivewire echo is not ready after 20 s")
    line = process.stdout.readline().decode()
    match = re.match(r"ready edge=(\S+)", line)
    if match is None:
        raise RuntimeError(f"hivewire echo said {line!r}")
    return match[1]


def run_cases(address: str, patterns: Sequence[str], *, parallel: int = 2) -> list[Verdict]:
    """Run the cases that match; their verdicts in the order of the suite."""
    with tempfile.TemporaryDirectory() as report:
        command = [str(Path(sys.executable).with_name("kosoku")), "-o", report, address]
        command += ["-p", str(parallel)]
        for pattern in patterns:
            command += ["-i", pattern]
        subprocess.run(command, check=False, capture_output=True)
        (agent,) = json.loads((Path(report) / "index.json").read_text()).values()
    verdicts = [Verdict(case, row["behavior"], row["behaviorClose"]) for case, row in agent.items()]
    return sorted(verdicts, key=lambda verdict: [int(part) for part in verdict.case.split(".")])


def main() -> int:
    """Run everything, write the page, say what failed."""
    results: dict[str, tuple[list[Verdict], float]] = {}
    for group, (title, flags) in GROUPS.items():
        started = time.monotonic()
        with echo(flags) as address:
            verdicts = run_cases(address, [f"{group}.*"])
        results[group] = (verdicts, time.monotonic() - started)
        passed = sum(verdict.passed for verdict in verdicts)
        print(f"{group:>3} {title}: {passed} of {len(verdicts)}", flush=True)  # noqa: T201
    failed = [v for verdicts, _ in results.values() for v in verdicts if not v.passed]
    for verdict in failed:
        print(f"failed: {verdict}")  # noqa: T201
    PAGE.write_text(page(results))
    return 1 if failed or sum(len(v) for v, _ in results.values()) != CASES_OF_THE_SUITE else 0


def page(results: dict[str, tuple[list[Verdict], float]]) -> str:
    """Write the figure down, group by group."""
    verdicts = [verdict for group, _ in results.values() for verdict in group]
    passed = sum(verdict.passed for verdict in verdicts)
    strict = sum({verdict.behavior, verdict.behavior_close} == {"OK"} for verdict in verdicts)
    rows = [
        f"| {group} | {GROUPS[group][0]} | {len(cases)} | {sum(v.passed for v in cases)} | "
        f"{' '.join(v.case for v in cases if not v.passed) or '-'} | {seconds:.0f} |"
        for group, (cases, seconds) in results.items()
    ]
    flags = " ".join(RAISED)
    machine = f"{os.uname().sysname} {os.uname().release}, {os.cpu_count()} cores"
    return f"""\
# Conformance to RFC 6455 and RFC 7692

**{passed} of {len(verdicts)}** Autobahn cases passed, {strict} of them strictly (the others behave
as the RFC leaves open).

Written by `make conformance`: kosoku 0.1.0 against `hivewire echo`, groups 9, 12 and 13 with
`{flags}`. A case counts as passed when its behaviour
and its close are OK, NON-STRICT or INFORMATIONAL; UNIMPLEMENTED counts as failed.

| group | about | cases | passed | failed | seconds |
|---|---|---|---|---|---|
{chr(10).join(rows)}

Python {sys.version.split()[0]}, {machine}.
"""


if __name__ == "__main__":
    sys.exit(main())
