"""The application that `serve` names."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from hivewire.hooks import App
from hivewire.hooks.finding import AppNotFound, find_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = """
import hivewire
hooks = hivewire.App()
class inner:
    hooks = hooks
nothing = 7
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with modules in it, none of which stays imported."""
    (tmp_path / "hooks_of_mine.py").write_text(SOURCE)
    (tmp_path / "hooks_broken.py").write_text("import no_such_thing_at_all")
    package = tmp_path / "hooks_package"
    package.mkdir()
    (package / "__init__.py").write_text("import no_such_thing_at_all")
    (package / "inside.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("hooks_"):
            del sys.modules[name]


@pytest.mark.parametrize(
    "spec", ["hooks_of_mine:hooks", "hooks_of_mine:inner.hooks", "hooks:hooks_of_mine"]
)
def test_an_application_is_found_either_way_round(spec: str) -> None:
    assert isinstance(find_app(spec), App)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("hooks_of_mine", "'hooks_of_mine' is not MODULE:OBJECT"),
        (":hooks", "':hooks' is not MODULE:OBJECT"),
        ("no_such_module_here:hooks", "No module named 'no_such_module_here'"),
        ("no such module:hooks", "No module named 'no such module'"),
        ("hooks_of_mine:other", "module hooks_of_mine has no other"),
        ("hooks_of_mine:nothing", "nothing is a int, not a hivewire.App"),
        ("os:path", "path is a module, not a hivewire.App"),
    ],
)
def test_what_is_missing_is_named(spec: str, problem: str) -> None:
    with pytest.raises(AppNotFound) as found:
        find_app(spec)
    assert problem in str(found.value)


@pytest.mark.parametrize("spec", ["hooks_broken:hooks", "hooks_package.inside:hooks"])
def test_what_a_module_needs_and_has_not_is_its_own_error(spec: str) -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_thing_at_all"):
        find_app(spec)
