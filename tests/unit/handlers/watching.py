"""A node with one who watches, and what that connection is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .driver import Driver, Line

if TYPE_CHECKING:
    from .driver import Told


def pushed(told: list[Told]) -> list[tuple[int, str, str, int | None]]:
    """(connection, user, state, last_seen) of every change that was pushed."""
    return [
        (one.conn, change["user"], change["state"], change["last_seen"])
        for one in told
        if one.kind == "volatile"
        for change in one.body["changes"]
    ]


def after(driver: Driver, ms: int) -> list[tuple[int, str, str, int | None]]:
    driver.later(ms)
    return pushed(driver.told())


def watching(*users: str, **sections: Any) -> tuple[Driver, Line]:
    driver = Driver(**sections)
    eve = driver.open("eve")
    assert eve.asks("watch", users=list(users))["op"] == "presence"
    return driver, eve
