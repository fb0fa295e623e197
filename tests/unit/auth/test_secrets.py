"""The development secret, and the key behind tickets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivewire.auth import dev_secret, dev_settings, read_dev_secret, ticket_secret
from hivewire.config import load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def test_the_development_secret_is_made_once_and_kept_private(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert read_dev_secret(data) is None
    secret = dev_secret(data)
    assert len(secret) >= 43
    assert dev_secret(data) == secret == read_dev_secret(data)
    assert (data / "dev-secret").stat().st_mode & 0o777 == 0o600
    assert data.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in data.iterdir()] == ["dev-secret"]


def test_a_configured_secret_is_left_alone(tmp_path: Path) -> None:
    given = load(auth={"secret": "s" * 32}, store={"path": tmp_path})
    assert dev_settings(given).auth is given.auth
    made = dev_settings(load(store={"path": tmp_path}))
    assert made.auth.secret is not None
    assert made.auth.secret.get_secret_value() == read_dev_secret(tmp_path)


def test_changing_the_token_key_refuses_old_tickets() -> None:
    one, two = load(auth={"secret": "1" * 32}).auth, load(auth={"secret": "2" * 32}).auth
    assert ticket_secret(one, b"node") == ticket_secret(one, b"node")
    assert len({ticket_secret(auth, node) for auth in (one, two) for node in (b"a", b"b")}) == 4
