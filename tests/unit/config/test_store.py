"""The settings of the store."""

from __future__ import annotations

import pytest

from hivewire.config import ConfigError, load
from hivewire.config.store import Store

pytestmark = pytest.mark.unit


def test_what_an_operator_may_rely_on() -> None:
    store = Store()
    assert store.sync is True
    assert store.cursor_delay == 100
    assert store.retention == 90 * 24 * 3_600_000


def test_everything_may_be_kept_for_ever() -> None:
    assert load(store={"retention": "0"}).store.retention == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("cache_history", "1KiB"), ("cache_unread", 0), ("retention_pass", "1ms"), ("retention", 7)],
)
def test_what_cannot_work_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"store\.{name}"):
        load(store={name: value})
