"""A group or channel `g` on a node: ann owns it, bob is in it, cat is a stranger."""

from __future__ import annotations

import itertools
from typing import Any

from .driver import Driver, Line, Told


class Team:
    """The node and its lines; all that made the group is durable and told."""

    def __init__(self, kind: str = "group", *, driver: Driver | None = None, **fields: Any) -> None:
        self.driver = driver or Driver()
        self.conv = f"{kind}:g"
        self.ann, self.bob, self.cat = (self.driver.open(name) for name in ("ann", "bob", "cat"))
        self.keys = itertools.count(1)
        fields = {"group": "g", "kind": kind, "members": ["bob"]} | fields
        self.made = self.asks(self.ann, "group.create", **fields)
        self.quiet()

    def key(self) -> str:
        return f"key-{next(self.keys):08}"

    def asks(self, line: Line, op: str, **fields: Any) -> dict[str, Any]:
        """A keyed command that is carried out to its end; returns its answer."""
        return line.asks(op, **{"key": self.key(), **fields})

    def sends(self, line: Line, text: str = "hi", **fields: Any) -> dict[str, Any]:
        """A message to the group, to its end."""
        return self.asks(line, "send", to=self.conv, text=text, **fields)

    def quiet(self) -> None:
        """Let receipts and heads go out, unheard."""
        self.driver.settle()
        self.driver.later(2_000)
        self.driver.told()


def pushed(told: list[Told]) -> list[tuple[str, dict[str, Any]]]:
    """To whom what was pushed."""
    return [(one.user, one.push) for one in told if one.kind == "push"]


def subscribed(told: list[Told]) -> list[tuple[str, int, str]]:
    """Which connection was moved where."""
    found = ("subscribe", "unsubscribe")
    return [(one.kind, one.conn, one.topic) for one in told if one.kind in found]
