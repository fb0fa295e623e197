"""The load client over several file tables: a quiet crowd, a storm, and a node that dies."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.node import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Start = Callable[..., Node]

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 2_000
TABLES = 3


@pytest.fixture(scope="module")
def swarm() -> Path:
    """The swarm as `cargo test` builds its parts: not optimised, but checked."""
    command = ["cargo", "build", "--locked", "-p", "hivewire-swarm", "--message-format", "json"]
    built = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    messages = map(json.loads, built.stdout.splitlines())
    return next(Path(one["executable"]) for one in messages if one.get("executable"))


def launch(swarm: Path, node: Node, *words: str) -> subprocess.Popen[str]:
    """A running swarm."""
    command = [str(swarm), *words, "--server", ":".join(map(str, node.edge))]
    environment = os.environ | {"HIVEWIRE_AUTH__SECRET": SECRET}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def await_word(flying: subprocess.Popen[str], word: str) -> None:
    """Until it has said so; what it says otherwise is the reason why it did not."""
    assert flying.stdout is not None
    for line in flying.stdout:
        if line.startswith(word):
            return
    raise AssertionError(flying.communicate()[1])


def report_of(flying: subprocess.Popen[str]) -> dict[str, Any]:
    """What it prints at its end."""
    stdout, stderr = flying.communicate(timeout=120)
    assert stdout, stderr
    report: dict[str, Any] = json.loads(stdout.splitlines()[-1])
    return report


def test_a_quiet_crowd_over_three_tables_gets_everything_once_and_is_sent_away(
    start_node: Start, swarm: Path
) -> None:
    node = start_node(env={"HIVEWIRE_EDGE__SHARDS": str(TABLES)})
    words = ["calm", "-n", str(CONNECTIONS), "--per-second", "300", "--threads", str(TABLES)]
    words += ["--warm", "0.5", "--seconds", "2", "--drain-within", "60"]
    with launch(swarm, node, *words) as flying:
        await_word(flying, "sending away 2000")
        node.stop()
        report = report_of(flying)
    assert (flying.returncode, report["faults"]) == (0, {})
    assert (report["connections"], report["threads"]) == (CONNECTIONS, TABLES)
    assert report["load"]["drain"]["left"] == 0
    assert report["counts"]["byes"] == CONNECTIONS
    assert report["latency_us"]["delivery"]["count"] > 0


def test_a_crowd_that_loses_its_node_says_so(start_node: Start, swarm: Path) -> None:
    node = start_node()
    words = ["calm", "-n", "100", "--per-second", "100", "--warm", "0", "--seconds", "2"]
    with launch(swarm, node, *words) as flying:
        await_word(flying, "measuring 100")
        node.kill9()
        report = report_of(flying)
    assert flying.returncode == 1
    assert report["faults"]["ended by the server"] == 100


def test_all_who_were_cut_off_come_back_with_their_tickets(start_node: Start, swarm: Path) -> None:
    node = start_node(env={"HIVEWIRE_EDGE__SHARDS": str(TABLES)})
    words = ["storm", "-n", "600", "--warm", "0.2", "--threads", str(TABLES)]
    with launch(swarm, node, *words) as flying:
        report = report_of(flying)
    assert (flying.returncode, report["faults"]) == (0, {})
    assert report["counts"]["back_by_ticket"] == 600
