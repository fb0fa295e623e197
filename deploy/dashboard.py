"""The Grafana dashboard, `deploy/grafana/hivewire.json`, as `make docs` writes it.

A panel is a line in `ROWS`. Grafana's own SDK makes the JSON, so its form is Grafana's.
"""

from __future__ import annotations

import string
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from grafana_foundation_sdk.builders import common as shapes
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models

if TYPE_CHECKING:
    from collections.abc import Iterator

HEIGHT: Final = 8
WIDTH: Final = 8
ROW_WIDTH: Final = 24
WHICH: Final = '{instance=~"$instance"}'
QUANTILES: Final = (0.5, 0.99)


class Panel(NamedTuple):
    """A chart: what it is called, the unit of its axis, and lines by their legends."""

    title: str
    unit: str
    lines: dict[str, str]
    """By legend, in PromQL; `#` stands for the instances that are looked at, and the rest is as it
    is written."""
    about: str = ""


def rate(counter: str, by: str = "instance") -> str:
    """What a counter grows by in a second."""
    return f"sum by ({by}) (rate({counter}#[$__rate_interval]))"


def quantiles(histogram: str) -> dict[str, str]:
    """Half and nearly all of what a histogram saw lies below these."""
    inner = f"sum by (le) (rate({histogram}_bucket#[$__rate_interval]))"
    return {f"p{100 * q:g}": f"histogram_quantile({q}, {inner})" for q in QUANTILES}


def mean(histogram: str) -> str:
    """The mean of what a histogram saw."""
    return (
        f"sum(rate({histogram}_sum#[$__rate_interval])) "
        f"/ sum(rate({histogram}_count#[$__rate_interval]))"
    )


ROWS: Final[dict[str, tuple[Panel, ...]]] = {
    "Clients": (
        Panel(
            "Connections",
            "short",
            {
                "open {{instance}}": "hivewire_connections#",
                "as a user {{instance}}": "hivewire_sessions#",
            },
        ),
        Panel(
            "Coming and going",
            "ops",
            {
                "upgrades": rate("hivewire_upgrades_total", "job"),
                "refused": rate("hivewire_refused_total", "job"),
                "connected: {{kind}}": rate("hivewire_connects_total", "kind"),
            },
            "After a restart all come back: most of them resume.",
        ),
        Panel(
            "Lines that were ended",
            "ops",
            {
                "no heartbeat": rate("hivewire_heartbeat_lost_total", "job"),
                "slow readers": rate("hivewire_slow_readers_total", "job"),
                "protocol errors": rate("hivewire_protocol_errors_total", "job"),
                "short of memory": rate("hivewire_memory_closed_total", "job"),
            },
        ),
        Panel(
            "Newcomers refused",
            "ops",
            {
                "full or draining": rate("hivewire_refused_full_total", "job"),
                "too many at once": rate("hivewire_refused_rate_total", "job"),
                "from one address": rate("hivewire_refused_address_total", "job"),
                "short of memory": rate("hivewire_refused_memory_total", "job"),
            },
            "They come back later, each at a moment of its own.",
        ),
        Panel(
            "TLS handshakes",
            "ops",
            {
                "done": rate("hivewire_tls_handshakes_total", "job"),
                "failed": rate("hivewire_tls_failures_total", "job"),
                "had to wait": rate("hivewire_tls_queued_total", "job"),
            },
        ),
        Panel(
            "Pushes",
            "ops",
            {
                "{{kind}} {{type}} {{result}}": rate("hivewire_pushes_total", "kind, type, result"),
                "under way": "sum(hivewire_push_under_way#)",
                "users with some": "sum(hivewire_push_users#)",
            },
        ),
    ),
    "Messages": (
        Panel(
            "Commands",
            "ops",
            {"{{op}} {{result}}": rate("hivewire_commands_total", "op, result")},
            "`unavailable` is overload, `internal` a bug.",
        ),
        Panel("Answers", "s", quantiles("hivewire_answer_seconds"), "The disk's sync included."),
        Panel("Deliveries", "s", quantiles("hivewire_delivery_seconds")),
        Panel(
            "Events",
            "ops",
            {
                "into timelines": rate("hivewire_events_total", "job"),
                "read in pages": rate("hivewire_sync_events_total", "job"),
                "pages": rate("hivewire_sync_pages_total", "job"),
            },
        ),
        Panel(
            "Timelines a message",
            "short",
            quantiles("hivewire_fanout_users") | {"mean": mean("hivewire_fanout_users")},
        ),
        Panel(
            "Presence",
            "short",
            {
                "changes a second": rate("hivewire_presence_changes_total", "job"),
                "watched users": "sum(hivewire_presence_watched#)",
            },
        ),
    ),
    "Lines": (
        Panel(
            "Traffic",
            "Bps",
            {
                "in": rate("hivewire_received_bytes_total", "job"),
                "out": rate("hivewire_sent_bytes_total", "job"),
            },
        ),
        Panel(
            "Frames",
            "ops",
            {
                "messages in": rate("hivewire_messages_received_total", "job"),
                "frames out": rate("hivewire_frames_queued_total", "job"),
                "pings": rate("hivewire_pings_sent_total", "job"),
                "volatile dropped": rate("hivewire_volatile_dropped_total", "job"),
            },
        ),
        Panel("Outboxes", "bytes", {"{{instance}}": "hivewire_outbox_bytes#"}),
    ),
    "Node": (
        Panel(
            "Lags",
            "s",
            {
                "loop p99": quantiles("hivewire_loop_lag_seconds")["p99"],
                "interpreter p99": quantiles("hivewire_interpreter_wait_seconds")["p99"],
                "wheel": "max(hivewire_wheel_lag_seconds#)",
            },
            "The Python thread is busy; the interpreter lock is kept; the shards' timers are late.",
        ),
        Panel(
            "Python is behind",
            "ops",
            {
                "reading stalled": rate("hivewire_read_stalls_total", "job"),
                "submits waited": rate("hivewire_submit_waits_total", "job"),
            },
        ),
        Panel(
            "Batches",
            "short",
            {
                "messages": mean("hivewire_batch_messages"),
                "entries in a commit": mean("hivewire_commit_messages"),
            },
            "Both grow with load, and with them the efficiency.",
        ),
        Panel("Processor", "percentunit", {"{{instance}}": rate("process_cpu_seconds_total")}),
        Panel("Memory", "bytes", {"{{instance}}": "process_resident_memory_bytes#"}),
        Panel(
            "Pressure of memory",
            "short",
            {"{{instance}}": "hivewire_memory_pressure#"},
            "1: newcomers are refused; 2: slow readers are closed; 3: nothing is read.",
        ),
        Panel(
            "HTTP",
            "ops",
            {
                "{{path}} {{status}}": rate("hivewire_http_requests_total", "path, status"),
                "polls that wait": "sum(hivewire_http_polls#)",
            },
        ),
    ),
    "Uploads": (
        Panel(
            "Uploads",
            "ops",
            {
                "answered": rate("hivewire_media_uploads_total", "job"),
                "refused": rate("hivewire_media_refused_total", "job"),
                "taken away": rate("hivewire_media_removed_total", "job"),
                "under way": "sum(hivewire_media_under_way#)",
            },
        ),
        Panel(
            "Pictures",
            "ops",
            {
                "unreadable": rate("hivewire_media_unreadable_total", "job"),
                "too much time or memory": rate("hivewire_media_pictures_killed_total", "job"),
            },
        ),
        Panel("Files", "bytes", {"{{instance}}": "hivewire_media_bytes#"}),
    ),
    "Disk": (
        Panel(
            "Commits",
            "ops",
            {
                "commits": rate("hivewire_commits_total", "job"),
                "rows": rate("hivewire_puts_total", "job"),
            },
        ),
        Panel(
            "Time of a commit",
            "s",
            {
                "sync p50": quantiles("hivewire_sync_seconds")["p50"],
                "sync p99": quantiles("hivewire_sync_seconds")["p99"],
                "all p99": quantiles("hivewire_commit_seconds")["p99"],
            },
        ),
        Panel(
            "RocksDB",
            "bytes",
            {
                "tables": "sum(hivewire_store_table_bytes#)",
                "in memory": "sum(hivewire_store_memtable_bytes#)",
                "block cache": "sum(hivewire_store_block_cache_bytes#)",
                "to be compacted": "sum(hivewire_store_compaction_pending_bytes#)",
            },
        ),
        Panel(
            "Must stay 0",
            "short",
            {
                "RocksDB's errors": "sum(hivewire_store_background_errors#)",
                "writes stopped": "max(hivewire_store_is_write_stopped#)",
                "panics": "sum(hivewire_panics_total#)",
            },
        ),
    ),
}


def build(panel: Panel, place: models.GridPos) -> timeseries.Panel:
    """A panel in its place."""
    built = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.about)
        .unit(panel.unit)
        .min(0)
        .datasource(models.DataSourceRef(type_val="prometheus", uid="${datasource}"))
        .grid_pos(place)
        .fill_opacity(8)
        .legend(
            shapes.VizLegendOptions()
            .show_legend(show_legend=True)
            .display_mode(kinds.LegendDisplayMode.LIST)
            .placement(kinds.LegendPlacement.BOTTOM)
        )
        .tooltip(shapes.VizTooltipOptions().mode(kinds.TooltipDisplayMode.MULTI))
    )
    for letter, (legend, query) in zip(string.ascii_uppercase, panel.lines.items(), strict=False):
        target = prometheus.Dataquery().expr(query.replace("#", WHICH))
        built = built.with_target(target.legend_format(legend).ref_id(letter))
    return built


def dashboard() -> models.Dashboard:
    """The whole dashboard, its data source and instances to be chosen."""
    source = builders.DatasourceVariable("datasource").type("prometheus").label("Data source")
    instance = (
        builders.QueryVariable("instance")
        .label("Instance")
        .datasource(models.DataSourceRef(type_val="prometheus", uid="${datasource}"))
        .query("label_values(hivewire_connections, instance)")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*")
    )
    made = (
        builders.Dashboard("Hivewire")
        .uid("hivewire")
        .tags(["hivewire"])
        .refresh("10s")
        .time("now-1h", "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(source)
        .with_variable(instance)
    )
    top = 0
    for title, panels in ROWS.items():
        made = made.with_row(builders.Row(title).grid_pos(at(top, 0, ROW_WIDTH, 1)))
        top += 1
        for number, panel in enumerate(panels):
            across, down = number % 3, number // 3
            made = made.with_panel(build(panel, at(top + down * HEIGHT, across * WIDTH)))
        top += -(-len(panels) // 3) * HEIGHT
    result = made.build()
    number_panels(result)
    return result


def number_panels(result: models.Dashboard) -> None:
    """Give every panel its id: Grafana wants them to differ."""
    for number, panel in enumerate(result.panels or (), 1):
        panel.id_val = number


def at(top: int, left: int, width: int = WIDTH, height: int = HEIGHT) -> models.GridPos:
    """A place on the page, in Grafana's units."""
    return models.GridPos(h=height, w=width, x=left, y=top)


def expressions() -> Iterator[str]:
    """Every query with Grafana's variables as they would be filled in."""
    for panels in ROWS.values():
        for panel in panels:
            for query in panel.lines.values():
                filled = query.replace("#", WHICH).replace("$instance", ".*")
                yield filled.replace("$__rate_interval", "1m")


if __name__ == "__main__":
    sys.stdout.write(JSONEncoder(sort_keys=True, indent=1).encode(dashboard()) + "\n")
