"""What watches a node: a real Prometheus that scrapes it, the dashboard, the alerts."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from deploy.dashboard import expressions
from deploy.metrics_page import everything, families, name_of

from tests.e2e.stranger import Stranger, key
from tests.e2e.test_command_line import get, hivewire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.node import Node

    Name = Callable[[str], str]

DEPLOY = Path(__file__).parents[2] / "deploy"
METRIC = re.compile(r"\b(?:hivewire|process|python)_\w+")
NOT_SHOWN = {
    "hivewire_accepted_total": "upgrades tell more",
    "hivewire_accept_pauses_total": "seen as refused clients",
    "hivewire_shards": "a fact of the machine, for doctor",
    "hivewire_own_file_table": "a fact of the machine, for doctor",
    "hivewire_reads_total": "for who works on the engine",
    "hivewire_writes_total": "for who works on the engine",
    "hivewire_turns_total": "for who works on the engine",
    "hivewire_wakeups_total": "for who works on the engine",
    "hivewire_ready_total": "for who works on the engine",
    "hivewire_gathered_writes_total": "for who works on the engine",
    "hivewire_gathered_bytes_total": "for who works on the engine",
    "hivewire_batches_total": "the count of hivewire_batch_messages",
    "hivewire_stale_orders_total": "for who works on the engine",
}
"""Metrics without a chart, with the reason; whole families by their first word in `GROUPS`."""
GROUPS = ("hivewire_history_", "hivewire_presence_", "hivewire_hooks", "hivewire_store_")


def names_in(text: str) -> set[str]:
    """The metrics of a query, histograms by their own name."""
    return {re.sub(r"_(bucket|sum|count)$", "", found) for found in METRIC.findall(text)}


def known() -> dict[str, str]:
    """Our metrics with what they tell."""
    found = families(everything().render().decode())
    return {name_of(family): family.documentation for family in found}


def test_every_chart_shows_metrics_that_exist() -> None:
    shown = set[str]().union(*map(names_in, expressions()))
    assert {name for name in shown if name.startswith("hivewire_")} <= set(known())
    missing = {
        name for name in set(known()) - shown - set(NOT_SHOWN) if not name.startswith(GROUPS)
    }
    assert missing == set()


def test_every_alert_is_about_metrics_that_exist() -> None:
    rules = (DEPLOY / "prometheus" / "hivewire.rules.yml").read_text()
    names = set[str]().union(*map(names_in, re.findall(r"expr:([^\n]*(?:\n {12}.*)*)", rules)))
    assert len(names) >= 10
    assert names <= set(known())


def test_what_is_generated_is_what_the_code_says() -> None:
    for program, file in (
        ("metrics_page.py", DEPLOY.parent / "docs" / "metrics.md"),
        ("dashboard.py", DEPLOY / "grafana" / "hivewire.json"),
    ):
        command = [sys.executable, str(DEPLOY / program)]
        made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert made == file.read_text(), "run: make docs"


def test_the_dashboard_is_whole() -> None:
    made = json.loads((DEPLOY / "grafana" / "hivewire.json").read_text())
    panels = made["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 20
    charts = [panel for panel in panels if panel["type"] == "timeseries"]
    for panel in charts:
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters) > 0
        assert panel["datasource"]["uid"] == "${datasource}"
        right = panel["gridPos"]["x"] + panel["gridPos"]["w"]
        assert right <= 24
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)


def promtool(*arguments: str) -> str:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_alerts_come_when_they_should() -> None:
    folder = DEPLOY / "prometheus"
    promtool("check", "rules", str(folder / "hivewire.rules.yml"))
    promtool("check", "config", str(folder / "prometheus.yml"))
    promtool("test", "rules", str(folder / "hivewire.tests.yml"))
    rules = (folder / "hivewire.rules.yml").read_text()
    tests = (folder / "hivewire.tests.yml").read_text()
    alerts = re.findall(r"alert: (\w+)", rules)
    assert f"value: {len(alerts)}}}" in tests, "the last test fires each of them"


@pytest.fixture(scope="module")
def prometheus(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A Prometheus of its own that scrapes the shared node."""
    folder = tmp_path_factory.mktemp("prometheus")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = {
        "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms"},
        "scrape_configs": [
            {
                "job_name": "hivewire",
                "static_configs": [{"targets": [f"{node.api[0]}:{node.api[1]}"]}],
            }
        ],
        "rule_files": [str(DEPLOY / "prometheus" / "hivewire.rules.yml")],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            until(lambda: is_ready(client), (folder / "log").read_text)
            yield client
    finally:
        process.terminate()
        process.wait(30)


def is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").is_success
    except httpx.TransportError:
        return False


def until(condition: Callable[[], object], explain: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.05)


def query(client: httpx.Client, text: str) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/query", params={"query": text}).json()
    assert answer["status"] == "success", f"{text}: {answer}"
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


async def test_prometheus_sees_what_happens(
    prometheus: httpx.Client, node: Node, name: Name
) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        for _ in range(10):
            await ann.send(f"user:{name('bob')}", "x", key())
        await asyncio.to_thread(
            until,
            lambda: [
                row
                for row in query(prometheus, 'hivewire_commands_total{op="send",result="ok"}')
                if float(row["value"][1]) >= 10
            ],
            lambda: prometheus.get("/api/v1/targets").json(),
        )
        (up,) = await asyncio.to_thread(query, prometheus, "up")
    assert up["value"][1] == "1"
    assert up["metric"]["job"] == "hivewire"
    there = {row["metric"]["__name__"] for row in query(prometheus, '{__name__=~"hivewire_.+"}')}
    unknown = {name for found in there for name in names_in(found)} - set(known())
    assert unknown == set(), "a metric that docs/metrics.md does not have: see deploy/"
    text = await asyncio.to_thread(lambda: get(node, "/metrics")[1])
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(set(types)) == len(types), "Prometheus would drop one of two with the same name"


def test_every_chart_can_be_drawn(prometheus: httpx.Client) -> None:
    """Each query is one that Prometheus takes, and most have something to show at once."""
    until(lambda: query(prometheus, "count_over_time(up[1m]) > 8"), lambda: "no scrapes")
    texts = list(expressions())
    quiet = ("hivewire_hooks", "hivewire_push")  # no application here, and no receiver of pushes
    empty = [text for text in texts if not query(prometheus, text) and not has(text, quiet)]
    assert len(texts) > 50
    assert empty == []


def has(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words)


def test_the_alerts_are_loaded_and_silent(prometheus: httpx.Client) -> None:
    groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) >= 10
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


def test_top_shows_a_node_and_says_when_there_is_none(node: Node) -> None:
    url = f"http://{node.api[0]}:{node.api[1]}"
    shown = hivewire("top", "--url", url, "--interval", "0.1", "--rounds", "2")
    assert shown.returncode == 0, shown.stderr
    assert "connections" in shown.stdout
    assert "loop lag" in shown.stdout
    none = hivewire("top", "--url", "http://127.0.0.1:9", "--rounds", "1")
    assert none.returncode == 1
    assert "127.0.0.1:9" in none.stderr
