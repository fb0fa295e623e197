from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from hivewire import chaos

if TYPE_CHECKING:
    import pytest


def test_unset_there_is_nothing_to_call() -> None:
    assert chaos.from_environment({}) is None
    assert chaos.from_environment({"HIVEWIRE_CHAOS": ""}) is None


def test_the_nth_time_at_the_armed_point_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    reach = chaos.from_environment({"HIVEWIRE_CHAOS": "before-sync", "HIVEWIRE_CHAOS_AFTER": "2"})
    assert reach is not None
    reach("before-sync")
    reach("after-sync")
    assert killed == []
    reach("before-sync")
    assert killed == [(os.getpid(), signal.SIGKILL)]
