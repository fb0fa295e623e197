"""The page of all figures: `python deploy/metrics_page.py > docs/metrics.md`, or `make docs`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from prometheus_client.parser import text_string_to_metric_families

from hivewire.metrics import ENGINE, HISTORY, HOOKS, MEDIA, PRESENCE, PUSH, STORE, Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

HEADER: Final = """\
# Metrics

Everything that `GET /metrics` of the api listener tells Prometheus. Made from
`python/hivewire/metrics.py` by `make docs`; change it there.

Times are in seconds, sizes in bytes; a `_total` only grows and begins at 0 with the process; a
histogram has `_bucket`, `_sum` and `_count`. No label names a user, a device or a conversation, so
the number of series does not grow with them. What to look at first, and the dashboard and the
alerts that come with it: [operations.md](operations.md#what-to-watch).

The figures that start with `process_` and `python_` are those of the Prometheus client for Python.

| name | type | labels | what it tells |
|---|---|---|---|
"""


def everything() -> Metrics:
    """Metrics in which each name appears once."""
    metrics = Metrics()
    metrics.commands["send", "ok"] = metrics.hooks["on_send", "ok"] = 1
    metrics.requests["/health/live", 200] = 1
    metrics.engine = lambda: dict.fromkeys(ENGINE, 0)
    metrics.store = lambda: dict.fromkeys(STORE, 0)
    metrics.history = lambda: dict.fromkeys(HISTORY, 0)
    metrics.presence = lambda: dict.fromkeys(PRESENCE, 0)
    metrics.application = lambda: dict.fromkeys(HOOKS, 0)
    metrics.media = lambda: dict.fromkeys((name.removeprefix("media_") for name in MEDIA), 0)
    metrics.polls = lambda: 0
    metrics.push = lambda: dict.fromkeys(PUSH, 0)
    metrics.pushes["webhook", "message", "ok"] = 1
    return metrics


def families(text: str) -> Iterator[Metric]:
    """Ours, out of the text of a scrape."""
    for family in text_string_to_metric_families(text):
        if family.name.startswith("hivewire_"):
            yield family


def name_of(family: Metric) -> str:
    """As it stands in a query."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def page() -> str:
    """The whole page as Markdown."""
    rows = [
        f"| `{name_of(family)}` | {family.type} | {labels_of(family)} | {family.documentation} |"
        for family in families(everything().render().decode())
    ]
    return HEADER + "\n".join(sorted(rows)) + "\n"


def labels_of(family: Metric) -> str:
    """The names of its labels."""
    names = {name for sample in family.samples for name in sample.labels} - {"le"}
    return ", ".join(f"`{name}`" for name in sorted(names))


if __name__ == "__main__":
    sys.stdout.write(page())
