"""The verbs of a client are all there is to ask."""

from __future__ import annotations

import pytest

from hivewire.client import Client
from hivewire.client.verbs.asking import Asking

pytestmark = pytest.mark.unit


def test_who_cannot_ask_has_no_verbs() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Asking()  # type: ignore[abstract]


def test_a_client_is_one_who_asks() -> None:
    assert issubclass(Client, Asking)
