"""All rules over one run: of timelines (`checker`), of conversations, of their logs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.chaos import checker, conversations, logs
from tests.chaos.checker import Violation

if TYPE_CHECKING:
    from tests.chaos.history import History


def verdict(history: History) -> list[Violation]:
    """What was broken, each under the name of its rule; an empty list is the only good result."""
    rules = checker.RULES + conversations.RULES + logs.RULES
    return [Violation(rule.__name__, words) for rule in rules for words in rule(history)]


def assert_clean(history: History) -> None:
    """Fail with the first violations of each rule."""
    broken = verdict(history)
    counts = Counter(violation.rule for violation in broken)
    words = [f"{v.rule}: {v.words}" for v in broken]
    assert not broken, f"{dict(counts)}\n" + "\n".join(words[:20])
