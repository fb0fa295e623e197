"""The settings of the HTTP listener."""

from __future__ import annotations

import pytest

from hivewire.config import ConfigError, load
from hivewire.config.api import Api

pytestmark = pytest.mark.unit


def test_the_defaults_are_those_of_the_protocol() -> None:
    api = Api()
    assert (api.address, api.poll_time, api.key, api.origins) == (
        "127.0.0.1:8001",
        30_000,
        None,
        (),
    )


def test_the_key_is_not_shown_by_accident() -> None:
    assert "very-secret" not in repr(load(api={"key": "very-secret"}).api)


@pytest.mark.parametrize(("name", "value"), [("connections", 0), ("polls", 0), ("body_bytes", 1)])
def test_what_would_serve_nobody_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"api\.{name}"):
        load(api={name: value})
