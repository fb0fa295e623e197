"""Which modules come anew, and that the old ones are back where that fails."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hivewire import fresh, gateway

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An application: a module, one beside it, a package, and one that is installed below it."""
    before = set(sys.modules)
    for name, text in {
        "shop_main.py": "import shop_words, shop_parts.deep, shop_installed\n"
        "said = shop_words.said",
        "shop_words.py": "said = 'old'",
        "shop_parts/__init__.py": "",
        "shop_parts/deep.py": "",
        "site-packages/shop_installed.py": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("shop_main")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


OURS = {"shop_main", "shop_words", "shop_parts", "shop_parts.deep"}


@pytest.mark.parametrize("spec", ["shop_main:app", "app:shop_main"])
def test_an_application_is_its_module_and_its_neighbours(root: Path, spec: str) -> None:
    assert root.is_dir()
    assert set(fresh.modules_of(spec)) == OURS


def test_of_a_package_that_is_the_application_only_what_is_in_it(root: Path) -> None:
    assert root.is_dir()
    assert set(fresh.modules_of("shop_parts.deep:app")) == {"shop_parts", "shop_parts.deep"}


def test_of_an_installed_one_its_own_package(root: Path) -> None:
    assert root.is_dir()
    assert fresh.modules_of("shop_installed:app") == ["shop_installed"]


def test_two_changes_in_one_second_are_both_seen(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for word in ("new", "now"):
        (root / "shop_words.py").write_text(f"said = {word!r}")
        with fresh.imported_anew(fresh.modules_of("shop_main:app")):
            imported = importlib.import_module("shop_main")
        assert imported.said == word
    assert sys.modules["shop_main"].said == "now"


def test_where_it_fails_the_old_modules_are_back(root: Path) -> None:
    old = {name: sys.modules[name] for name in OURS}
    (root / "shop_words.py").write_text("said = 'new'")
    (root / "shop_main.py").write_text("import shop_words\n1 / 0")
    with (
        pytest.raises(ZeroDivisionError),
        fresh.imported_anew(fresh.modules_of("shop_main:app")),
    ):
        importlib.import_module("shop_main")
    assert {name: sys.modules[name] for name in OURS} == old
    assert sys.modules["shop_words"].said == "old"


def test_hivewire_comes_anew_but_for_its_engine() -> None:
    names = fresh.own_modules()
    assert {"hivewire", "hivewire.fresh"} <= set(names)
    assert not fresh.LASTING & set(names)
    assert all(name.partition(".")[0] == "hivewire" for name in names)


def test_a_stamp_tells_changed_files() -> None:
    stamp = fresh.stamp()
    assert stamp == fresh.stamp()
    assert gateway.Engine.__module__ in sys.modules
    assert stamp.engine is not None
    assert str(Path(fresh.__file__)) in stamp.sources
