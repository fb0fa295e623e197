"""The one conformance script with both SDKs.

`make sdk` prints its table, and has the JavaScript SDK a second time with Node's own WebSocket.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.sdk.run import Verdict, failures, play_all, scenarios, table


@pytest.mark.timeout(600)
def test_every_sdk_tells_the_same_story_whatever_breaks() -> None:
    chosen = scenarios()
    verdicts = asyncio.run(play_all(chosen, ["python", "js"]))
    assert len(verdicts) > 40
    assert failures(chosen, verdicts) == [], table(verdicts)


def told(*story: str, **more: Any) -> Verdict:
    return Verdict({"story": list(story), "states": {}} | more)


def test_stories_that_differ_are_found() -> None:
    expected = [{"name": "x", "expect": {"story": []}}]
    left_open = [{"name": "x"}]
    same = {"x": {"a": told("ann: 1", "ben: 2"), "b": told("ann: 1", "ben: 2")}}
    assert failures(expected, same) == []
    swapped = {"x": {"a": told("ann: 1", "ben: 2"), "b": told("ben: 2", "ann: 1")}}
    assert len(failures(expected, swapped)) == 1
    assert failures(left_open, swapped) == []
    reordered = {"x": {"a": told("ann: 1", "ann: 2"), "b": told("ann: 2", "ann: 1")}}
    assert len(failures(left_open, reordered)) == 1
    states = {"x": {"a": told(states={"1": ["sent"]}), "b": told(states={"1": ["sent", "sent"]})}}
    assert len(failures(left_open, states)) == 1
    broken = {"x": {"a": told(), "b": Verdict({}, "AssertionError")}}
    assert len(failures(left_open, broken)) == 1
