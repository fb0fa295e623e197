"""The application that `hivewire serve MODULE:OBJECT` names."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import reduce

from hivewire.hooks.application import App


class AppNotFound(Exception):
    """There is no application under that name; the text says what is missing."""


def find_app(spec: str) -> App:
    """Import the module and return its `App`. Modules of the working directory count.

    `OBJECT:MODULE` is taken as well where there is no module of the first name. What the module
    itself raises is not caught.

    Args:
        spec: `package.module:object`, the object perhaps dotted.

    Raises:
        AppNotFound: no such module or object, or it is no `App`.
    """
    left, colon, right = spec.partition(":")
    if not (colon and left and right):
        raise AppNotFound(f"{spec!r} is not MODULE:OBJECT")
    if "" not in sys.path:
        sys.path.insert(0, "")
    if not _exists(left) and _exists(right):
        left, right = right, left
    if not _exists(left):
        raise AppNotFound(f"{spec}: No module named {left!r}")
    module = importlib.import_module(left)
    try:
        found = reduce(getattr, right.split("."), module)
    except AttributeError:
        raise AppNotFound(f"{spec}: module {left} has no {right}") from None
    if not isinstance(found, App):
        raise AppNotFound(f"{spec}: {right} is a {type(found).__name__}, not a hivewire.App")
    return found


def _exists(module: str) -> bool:
    """Whether there is a module of that name; the packages around it are imported."""
    if not all(part.isidentifier() for part in module.split(".")):
        return False
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError as missing:
        # One of its own packages, or something that a package around it needs: that is a bug there.
        if missing.name is not None and f"{module}.".startswith(f"{missing.name}."):
            return False
        raise
