"""What runs have shown, in figures: how much happened, how much was lost, doubled or moved."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chaos.history import (
    Answer,
    ChannelEvent,
    Connected,
    Crash,
    GroupTold,
    HistoryRead,
    Invoke,
    Page,
    Push,
    ReadDone,
)
from tests.chaos.verdict import verdict

if TYPE_CHECKING:
    from tests.chaos.checker import Violation
    from tests.chaos.history import History

LOST = frozenset(
    {
        *("answered_is_durable", "answered_is_in_the_log", "seen_stays", "log_stays", "no_hole"),
        *("everybody_has_it", "history_is_whole", "group_changes_stay", "reads_stay", "converges"),
        *("heads_arrive", "cursors_keep"),
    }
)
TWICE = frozenset({"one_place_per_message", "one_key_one_message", "seq_rises"})
OUT_OF_ORDER = frozenset(
    {
        "own_order_kept",
        "real_time_order",
        "same_on_all_devices",
        "channel_events_rise",
        "answers_rise",
    }
)


@dataclass
class Figures:
    """Sums over any number of runs."""

    counts: Counter[str] = field(default_factory=Counter[str])
    broken: list[Violation] = field(default_factory=list)

    def add(self, history: History) -> list[Violation]:
        """Judge a run and add it; what was broken in it."""
        broken = verdict(history)
        self.broken += broken
        counts = self.counts
        counts["runs"] += 1
        for record in history:
            if isinstance(record, Crash):
                counts[record.how] += 1
                counts["hit"] += record.in_flight > 0
            elif isinstance(record, Connected):
                counts["connects"] += 1
            elif isinstance(record, (Push, ChannelEvent)):
                counts["received"] += 1
            elif isinstance(record, (Page, HistoryRead)):
                counts["received"] += len(record.events)
            elif isinstance(record, ReadDone):
                counts["reads"] += 1
        self._count_commands(history)
        return broken

    def _count_commands(self, history: History) -> None:
        ops = {(r.user, r.key): r.op for r in history if isinstance(r, Invoke)}
        tries = Counter((r.user, r.key) for r in history if isinstance(r, Invoke))
        done = {(r.user, r.key) for r in history if isinstance(r, (Answer, GroupTold))} & ops.keys()
        self.counts["resent"] += sum(tries[name] > 1 for name in done)
        for name in done:
            self.counts[ops[name].partition(".")[0]] += 1

    def table(self) -> str:
        """A table in Markdown."""
        counts = self.counts
        broken = Counter(violation.rule for violation in self.broken)
        lost, twice, moved = (
            sum(count for rule, count in broken.items() if rule in rules)
            for rules in (LOST, TWICE, OUT_OF_ORDER)
        )
        rows = [
            ("runs, each on a fresh data directory", counts["runs"]),
            ("`kill -9`", counts["kill"]),
            ("power cuts", counts["cut"]),
            ("of both, with commands in flight", counts["hit"]),
            ("messages answered", counts["send"]),
            ("edits, recalls, reactions answered", sum(counts[op] for op in CHANGES)),
            ("changes of groups answered", counts["group"]),
            ("read marks answered", counts["reads"]),
            ("commands that had to be sent again", counts["resent"]),
            ("connects", counts["connects"]),
            ("events received and checked", counts["received"]),
            ("**lost**", lost),
            ("**twice**", twice),
            ("**out of order**", moved),
            ("any other rule broken", broken.total() - lost - twice - moved),
        ]
        lines = [f"| {name} | {count:,} |" for name, count in rows]
        return "\n".join(["| what | how many |", "|---|--:|", *lines])


CHANGES = ("edit", "recall", "react")
