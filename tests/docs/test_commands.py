"""What starts something that stays, or something large, run as the pages say it in small numbers.

README.md, docs/load.md, docs/reliability.md, docs/scale.md and docs/simulation.md. A test changes
the values of variables that the page shows or the Makefile names, and nothing else.
"""

from __future__ import annotations

import signal
import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.docs.commands import (
    UNHURRIED,
    as_built,
    environment,
    lines,
    run,
    side_by_side,
    smaller,
)
from tests.docs.pages import ROOT, block
from tests.node import READY, SECRET, START_SECONDS, STOP_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node import Node

pytestmark = pytest.mark.timeout(300)
FREE = {"HIVEWIRE_EDGE__ADDRESS": "127.0.0.1:0", "HIVEWIRE_API__ADDRESS": "127.0.0.1:0"}


def test_make_serve_runs_a_node_with_the_messenger_until_sigterm(tmp_path: Path) -> None:
    """On free ports, with data of its own; nothing is built, because everything is."""
    serve, test = lines(block("README.md", "make serve"))
    assert test == ["make", "test"]
    command = as_built(smaller(serve, DATA=str(tmp_path / "data")))
    log = tmp_path / "stderr"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            command, cwd=ROOT, env=environment(**FREE), stdout=subprocess.PIPE, stderr=stderr
        ) as process,
    ):
        assert process.stdout is not None
        ready = None
        while ready is None:
            line = process.stdout.readline()
            assert line, log.read_text()
            ready = READY.search(line)
        page = f"http://{ready['api'].decode()}/"
        try:
            with urllib.request.urlopen(page, timeout=START_SECONDS) as answer:
                assert b"<title>hivewire" in answer.read()
        finally:
            process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)
    assert '"event": "the node has stopped"' in log.read_text()


def test_the_load_suite_passes(tmp_path: Path) -> None:
    """The first command has the numbers by itself that the second one shows."""
    whole, small = lines(block("README.md", "make load CONNECTIONS="))
    numbers = {"CONNECTIONS": "40", "HOLD": "1", "LOAD_FLAGS": UNHURRIED}
    said = run(smaller(small, **numbers, REPORTS=str(tmp_path)))
    assert "passed" in said
    assert (tmp_path / "load.md").exists()
    assert (tmp_path / "load.html").exists()
    planned = [run([*words, "--dry-run"]) for words in (whole, small)]
    assert planned[0].replace("--connections 50000", "--connections 10000") == planned[1]


def test_the_other_loads_of_the_page_are_there() -> None:
    """They differ in values from the one that is run: numbers, and files."""
    *loads, other = lines(block("docs/load.md", "make load SCENARIO="))
    (plain,) = lines(block("docs/load.md", "shapes/ramp.py --headless"))
    for words in (*loads, other):
        planned = run([*words, "--dry-run"]).split()
        files = planned[planned.index("-f") + 1].split(",")
        assert len(files) == 2
        assert all((ROOT / file).exists() for file in files), files
        if words == ["make", "load"]:
            assert set(plain[1:]) <= set(planned)


def test_a_node_of_ones_own_is_loaded(node: Node) -> None:
    """One fleet for two seconds instead of four for a minute."""
    text = block("docs/load.md", "--host ws://node.example").text
    ours = {
        "…": SECRET,
        "-u 4": "-u 1 --fleet-size 20",
        "-t 60s": f"-t 2s {UNHURRIED}",
        "node.example:8000": "{}:{}".format(*node.edge),
        "node.example:8001": "{}:{}".format(*node.api),
    }
    for shown, value in ours.items():
        assert text.count(shown) == 1, shown
        text = text.replace(shown, value)
    assert "passed" in run(["bash", "-euc", text])


SHORT_DAY = {"DAY": "--people 6 --hour 0.1"}
SHORT_SOAK = {"SOAK_MINUTES": "0.001", "SOAK": "--crashes 1"}


def test_the_promises_are_kept_under_faults(tmp_path: Path) -> None:
    """A day, an hour and ten kills, each in seconds."""
    day, soak, _, kills = lines(block("docs/reliability.md", "make soak"))
    short = [
        smaller(day, **SHORT_DAY),
        smaller(soak, **SHORT_SOAK),
        smaller(kills, HIVEWIRE_TEST_SCALE="0.1"),
    ]
    lived, soaked, killed = side_by_side(short, TMPDIR=str(tmp_path))
    assert "nothing lost, nothing twice" in lived
    assert "| **lost** | 0 |" in soaked
    assert "= 2 passed" in killed


def test_the_simulation_is_repeated_by_seeds(tmp_path: Path) -> None:
    """A hundred runs instead of thousands; the two that are played again are those of the page."""
    _, more, *again = lines(block("docs/simulation.md", "tests.sim.replay"))
    fewer = smaller(more, HIVEWIRE_TEST_SCALE="0.05")
    said, whole, one = side_by_side([fewer, *again], TMPDIR=str(tmp_path))
    assert "= 1 passed" in said
    for told in (whole, one):
        assert told.endswith("nothing lost, nothing twice, everything in order\n")
    assert set(one.splitlines()) < set(whole.splitlines())


SHORT_STORM = {
    "CONNECTIONS": "300",
    "STORM": "--others 60 --per-second 300 --settle 2 --before 2 --back 6 --after 1 "
    "--p99 1000 --memory 50",
}


def test_large_nodes_are_measured(tmp_path: Path) -> None:
    """Some hundred connections instead of a million, and seconds instead of a minute."""
    crowd, half, storm, _ = lines(block("docs/scale.md", "make million"))
    words = next(word for word in half if word.startswith("MILLION=")).partition("=")[2]
    short_crowd = {"CONNECTIONS": "300", "MILLION": f"{words} --warm 1 --seconds 1"}
    short = [smaller(half, **short_crowd), smaller(storm, **SHORT_STORM)]
    here = {"REPORTS": str(tmp_path)}
    stood, stormed = side_by_side([smaller(command, **here) for command in short])
    assert "nothing lost" in stood
    assert "all criteria kept" in stormed
    assert {"crowd-300.md", "storm.md"} <= {path.name for path in tmp_path.iterdir()}
    planned = run([*crowd, "--dry-run"]).split()
    assert planned[-4:] == ["--connections", "1000000", "--reports", "reports"]


SHORT_GROWTH = {
    "GROWTH_MOST": "1000",
    "GROWTH": "--warm 1 --seconds 1 --members 500 --per-second 100",
}


def test_growth_is_measured_and_drawn(tmp_path: Path) -> None:
    """The smallest node, groups and channels of those that the page measures."""
    *_, growth = lines(block("docs/scale.md", "make million"))
    planned = run([*growth, "--dry-run"])
    assert "growth.py --most 1000000 " in planned
    said = run(smaller(growth, **SHORT_GROWTH, REPORTS=str(tmp_path)))
    assert said.endswith("nothing lost, twice or out of order\n")
    assert "not done" not in said
    drawn = {line.rpartition("/")[2] for line in said.splitlines() if line.endswith(".svg")}
    assert {"growth-memory.svg", "growth-delivery.svg"} < drawn
    assert drawn == {path.name for path in tmp_path.glob("*.svg")}
