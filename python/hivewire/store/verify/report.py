"""What a proof has looked at and what it found wrong."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

REPORTED_PROBLEMS = 100
"""Problems told one by one; the rest is counted."""


class Problem(NamedTuple):
    """One thing that cannot be true."""

    rule: str
    """Which invariant, in a word: `seq`, `n`, `reference`, `key`, `fan-out`, `member`, `state`,
    `mark`, `cursor`, `device`, `media`, `push`, `row`."""
    where: str
    message: str


class Channel:
    """What the events of a channel say of itself."""

    __slots__ = ("said", "since")

    def __init__(self, since: int) -> None:
        self.since = since
        """The `n` with which it was made, or with which a group became one."""
        self.said = since
        """The last `n` that says what it is, and so stands in every member's timeline."""


class Report:
    """What was looked at and what was wrong."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Rows read, by column family."""
        self.problems: list[Problem] = []
        """The first `REPORTED_PROBLEMS`."""
        self.problem_count = 0
        self.channels: dict[str, Channel] = {}
        """From the pass over the messages, for the one over the timelines."""

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.problem_count

    def add(self, rule: str, where: str, message: str) -> None:
        """Note a problem."""
        self.problem_count += 1
        if len(self.problems) < REPORTED_PROBLEMS:
            self.problems.append(Problem(rule, where, message))
