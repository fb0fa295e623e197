"""Settings and application, read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivewire.auth import KeyProblem
from hivewire.config import ConfigError
from hivewire.hooks.finding import AppNotFound
from hivewire.launch import Launch, prepare
from tests.unit.test_app import settings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "0123456789abcdef0123456789abcdef"


def launch(tmp_path: Path, text: str, spec: str | None = None) -> Launch:
    file = tmp_path / "settings.toml"
    file.write_text(f"[auth]\nsecret = '{SECRET}'\n{text}")
    flags: dict[str, dict[str, object]] = {"edge": {"address": "127.0.0.1:0"}}
    return Launch(spec, file, flags)


def test_what_may_change_changes(tmp_path: Path) -> None:
    running = settings(tmp_path)
    found = prepare(launch(tmp_path, "[limits]\ndevices = 2\n[edge]\nshards = 7"), running)
    assert found.settings.limits.devices == 2
    assert found.settings.edge.shards == running.edge.shards == 1
    assert found.settings.store.path == running.store.path
    assert {"edge.shards", "store.path"} <= set(found.kept)
    assert found.application is None


@pytest.mark.parametrize(
    ("text", "spec", "problem"),
    [
        ("[limits]\ndevises = 2", None, ConfigError),
        ("algorithm = 'RS256'", None, KeyProblem),
        ("", "no_such_module:app", AppNotFound),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_ends(
    tmp_path: Path, text: str, spec: str | None, problem: type[Exception]
) -> None:
    with pytest.raises(problem):
        prepare(launch(tmp_path, text, spec), settings(tmp_path))
