"""Every story is told twice: in JSON and in MessagePack."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["json", "msgpack"])
def encoding(request: pytest.FixtureRequest) -> str:
    """The encoding that the test's clients agree on."""
    return request.param
