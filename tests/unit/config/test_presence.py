"""The settings of presence."""

from __future__ import annotations

import pytest

from hivewire.config import ConfigError, load
from hivewire.config.presence import Presence

pytestmark = pytest.mark.unit


def test_the_defaults_are_those_of_the_protocol() -> None:
    presence = Presence()
    assert (presence.linger, presence.gather) == (20_000, 500)
    assert load().limits.watch == 500


@pytest.mark.parametrize(
    ("name", "value"), [("gather", "0s"), ("changes_per_watcher", 0), ("watched", 0)]
)
def test_what_would_tell_nobody_anything_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"presence\.{name}"):
        load(presence={name: value})
