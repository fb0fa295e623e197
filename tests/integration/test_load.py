"""The load suite as a user runs it: Locust, a node, an exit status; and what must make it fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.node import SECRET, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
COMPANY = "loadtest/scenarios/company.py"
RAMP = "loadtest/shapes/ramp.py"
MUTANTS = ROOT / "tests" / "chaos"
RUN_SECONDS = 120
UNHURRIED = (
    *("--max-answer-p99", "60000", "--max-delivery-p99", "60000", "--max-lag-p99", "60000"),
    *("--max-crew-cpu", "1000", "--max-node-cpu", "1000", "--max-node-memory", "10000"),
    *("--max-comeback", "60"),
)
"""These runs prove what is counted; a machine that stalls must not fail them."""

LIVELY = ("--pace", "20", "--settle", "30")

pytestmark = [pytest.mark.integration, pytest.mark.timeout(RUN_SECONDS + 30)]


@dataclass
class Outcome:
    """How a run ended, and what it reported."""

    status: int
    output: str
    report: dict[str, Any]
    html: Path

    def found(self, criterion: str) -> str:
        return next(c["found"] for c in self.report["criteria"] if c["name"] == criterion)

    def broken(self) -> set[str]:
        return {c["name"] for c in self.report["criteria"] if not c["met"]}


def locust(work: Path, files: str, *words: str) -> Outcome:
    """Run the suite headless, as `make load` does."""
    command = [sys.executable, "-m", "locust", "-f", files, "--headless", "--only-summary"]
    command += ["--html", str(work / "load.html"), "--report", str(work / "load")]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HIVEWIRE_", "LOCUST_"))}
    done = subprocess.run(
        [*command, *UNHURRIED, *words],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    report = work / "load.json"
    assert report.exists(), done.stdout
    return Outcome(done.returncode, done.stdout, json.loads(report.read_text()), work / "load.html")


@contextmanager
def spoiled(work: Path, mutants: str, name: str) -> Iterator[tuple[str, ...]]:
    """A node with a planted bug; how the suite is pointed at it."""
    node = Node(work / "data", launcher=(str(MUTANTS / mutants), name)).start()
    try:
        host, port = node.edge
        yield ("--host", f"ws://{host}:{port}/v1/ws", "--token-secret", SECRET)
    finally:
        node.kill9()


def test_p6_a_run_starts_its_node_chats_cuts_drains_and_passes(tmp_path: Path) -> None:
    run = locust(tmp_path, f"{COMPANY},{RAMP}", "--connections", "300", "--hold", "8", *LIVELY)
    assert run.status == 0, run.output
    assert run.broken() == set()
    assert run.found("connected in the end") == "300"
    assert run.found("events that never came") == run.found("events that came twice") == "0"
    figures = run.report["figures"]
    answered, delivered = (
        int(figures[name].replace(",", "")) for name in ("answered", "delivered")
    )
    assert delivered > answered >= 50
    assert int(figures["come back, cut"].split()[0]) >= 40, "a fifth of 300 was cut"
    page = run.html.read_text()
    for name in ("answer", "delivery", "connect", "come back", "loop lag"):
        assert f'"{name}"' in page, f"{name} is not in Locust's page"


@pytest.mark.parametrize(
    ("mutants", "name", "caught_as"),
    [
        ("company_mutants.py", "group_message_misses_a_member", "events that never came"),
        ("mutants.py", "double_fan_out", "events that came twice"),
    ],
)
def test_p6_a_planted_bug_fails_the_run(
    tmp_path: Path, mutants: str, name: str, caught_as: str
) -> None:
    with spoiled(tmp_path, mutants, name) as target:
        words = ("-u", "1", "-t", "6s", "--fleet-size", "100", *LIVELY, "--settle", "2")
        run = locust(tmp_path, COMPANY, *words, *target)
    assert run.status == 1, run.output
    assert caught_as in run.broken()
    assert run.report["examples"]
