"""Counters, histograms and their way to Prometheus."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hivewire.metrics import PRESENCE, Histogram, Metrics, store_figures

from .presence.town import Town

pytestmark = pytest.mark.unit


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_a_histogram_counts_up_to_and_including_its_bounds() -> None:
    histogram = Histogram((1.0, 2.0))
    for value, count in ((0.5, 1), (1.0, 2), (1.5, 3), (2.5, 4)):
        histogram.observe(value, count)
    assert histogram.buckets() == [("1.0", 3), ("2.0", 6), ("+Inf", 10)]
    assert histogram.count == 10
    assert histogram.sum == pytest.approx(0.5 + 2.0 + 4.5 + 10.0)


def test_what_was_counted_is_exported() -> None:
    metrics = Metrics()
    metrics.commands["send", "ok"] += 3
    metrics.commits += 2
    metrics.answer_seconds.observe(0.002, 5)
    found = samples(metrics)
    assert found["hivewire_commands_total", (("op", "send"), ("result", "ok"))] == 3
    assert found["hivewire_commits_total", ()] == 2
    assert found["hivewire_answer_seconds_count", ()] == 5
    assert found["hivewire_answer_seconds_bucket", (("le", "0.0025"),)] == 5
    assert found["hivewire_answer_seconds_bucket", (("le", "0.001"),)] == 0


def test_the_engine_and_the_store_are_asked_at_the_scrape() -> None:
    metrics = Metrics()
    stats = {"connections": 7, "received_bytes_total": 10, "wheel_lag_ms": 15, "novel": 3}
    metrics.engine = lambda: stats
    metrics.store = lambda: {"background-errors": 1}
    stats["connections"] = 8
    found = samples(metrics)
    assert found["hivewire_connections", ()] == 8
    assert found["hivewire_received_bytes_total", ()] == 10
    assert found["hivewire_wheel_lag_seconds", ()] == pytest.approx(0.015)
    assert found["hivewire_novel", ()] == 3
    assert found["hivewire_store_background_errors", ()] == 1


def test_presence_is_told_by_its_own_names() -> None:
    metrics = Metrics()
    metrics.presence = lambda: dict.fromkeys(PRESENCE, 6)
    metrics.presence_changes = 7
    found = samples(metrics)
    assert found["hivewire_presence_watched", ()] == 6
    assert found["hivewire_presence_changes_total", ()] == 7
    assert set(Town().presence.figures()) == set(PRESENCE)


def test_hooks_are_told_where_there_is_an_application() -> None:
    metrics = Metrics()
    metrics.hooks["on_send", "refused"] += 2
    assert not any("hooks" in name for name, _ in samples(metrics))
    metrics.application = lambda: {"under_way": 3, "waiting": 4, "sessions": 5}
    found = samples(metrics)
    assert found["hivewire_hooks_total", (("hook", "on_send"), ("result", "refused"))] == 2
    assert found["hivewire_hooks_waiting", ()] == 4


def test_the_process_is_told_too() -> None:
    found = samples(Metrics())
    assert found["process_resident_memory_bytes", ()] > 0


def test_who_came_in_and_what_was_read_is_counted() -> None:
    metrics = Metrics()
    metrics.connects["resumed"] += 3
    metrics.pages, metrics.page_events = 2, 150
    metrics.sync_seconds.observe(0.004)
    metrics.interpreter_wait_seconds.observe(0.000_003)
    found = samples(metrics)
    assert found["hivewire_connects_total", (("kind", "resumed"),)] == 3
    assert found["hivewire_connects_total", (("kind", "reset"),)] == 0
    assert found["hivewire_sync_pages_total", ()] == 2
    assert found["hivewire_sync_events_total", ()] == 150
    assert found["hivewire_sync_seconds_count", ()] == 1
    assert found["hivewire_interpreter_wait_seconds_bucket", (("le", "5e-06"),)] == 1
    assert found["hivewire_interpreter_wait_seconds_bucket", (("le", "1e-06"),)] == 0


def test_what_a_store_does_not_know_is_left_out() -> None:
    known = {"background-errors": 0, "estimate-num-keys": 7}
    assert store_figures(known.get) == known
