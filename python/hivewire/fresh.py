"""Modules imported anew while the process goes on: an application's, and hivewire's own.

An application comes anew as a whole: its module, and every module of its directory, so that no
half of it is old. What is installed (`site-packages`) and the standard library stay as they are.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from types import ModuleType

PACKAGE: Final = "hivewire"
LASTING: Final = frozenset({"hivewire._engine", "hivewire.chaos"})
"""Never imported a second time: the engine that runs, and counters of this process."""
INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


class Stamp(NamedTuple):
    """Hivewire as it lies on the disk."""

    sources: dict[str, tuple[int, int]]
    """Time of change and size of each Python file."""
    engine: tuple[int, int, int] | None
    """The same of the engine, and its inode; None if it is not there."""


def stamp() -> Stamp:
    """How hivewire's files are now."""
    root = Path(__file__).parent
    sources = {str(path): path.stat() for path in root.rglob("*.py")}
    engine = getattr(sys.modules.get("hivewire._engine"), "__file__", None)
    try:
        found = Path(engine or "").stat()
    except OSError:
        found = None
    return Stamp(
        {path: (info.st_mtime_ns, info.st_size) for path, info in sources.items()},
        None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino),
    )


def own_modules() -> list[str]:
    """Names of hivewire's modules that can be imported anew."""
    names = (name for name in sys.modules if name.partition(".")[0] == PACKAGE)
    return [name for name in names if name not in LASTING]


def modules_of(spec: str) -> list[str]:
    """Names of the imported modules that belong to an application.

    Args:
        spec: `package.module:object` as `serve` takes it.
    """
    tops = {part.partition(".")[0] for part in spec.split(":")} & sys.modules.keys()
    roots = [root for top in tops if (root := _directory(sys.modules[top])) is not None]
    return [
        name
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] != PACKAGE
        and name != "__main__"
        and (name.partition(".")[0] in tops or _lies_in(module, roots))
    ]


def _directory(top: ModuleType) -> Path | None:
    """Where a module's neighbours lie; None if it is installed."""
    file = getattr(top, "__file__", None)
    place = Path(file).resolve().parent if file else Path(next(iter(top.__path__), "")).resolve()
    if hasattr(top, "__path__"):
        place = place.parent if file is None else place
    return None if INSTALLED & set(place.parts) else place


def _lies_in(module: ModuleType, roots: Iterable[Path]) -> bool:
    file = getattr(module, "__file__", None)
    if not file or not file.endswith(".py"):
        return False
    path = Path(file).resolve()
    if INSTALLED & set(path.parts):
        return False
    return any(path.is_relative_to(root) for root in roots)


@contextlib.contextmanager
def imported_anew(names: Iterable[str]) -> Generator[None]:
    """Inside, modules of these names are imported anew; if it raises, the old ones are back."""
    old = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    for module in old.values():
        _forget_bytecode(module)
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        for name in old:
            sys.modules.pop(name, None)
        sys.modules.update(old)
        raise


def _forget_bytecode(module: ModuleType) -> None:
    """Bytecode is told from its source by seconds: two changes in one would show the first."""
    file = getattr(module, "__file__", None)
    if file and file.endswith(".py") and module.__name__.partition(".")[0] != PACKAGE:
        with contextlib.suppress(OSError, NotImplementedError):
            Path(importlib.util.cache_from_source(file)).unlink()
