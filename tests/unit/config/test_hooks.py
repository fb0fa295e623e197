"""The settings of hooks."""

from __future__ import annotations

import pytest

from hivewire.config import ConfigError, load
from hivewire.config.hooks import Hooks


def test_the_defaults_are_those_of_the_documentation() -> None:
    hooks = Hooks()
    assert hooks.timeout == 5_000
    assert (hooks.concurrency, hooks.workers, hooks.queue) == (1_000, 16, 10_000)


def test_they_are_a_section_of_the_settings() -> None:
    assert load(hooks={"timeout": "250ms"}).hooks.timeout == 250
    with pytest.raises(ConfigError, match=r"hooks\.queue"):
        load(hooks={"queue": 0})
