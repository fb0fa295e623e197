"""A store in which a little of everything was written, to be damaged row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.store import keys
from hivewire.store.verify import verify
from tests.unit.core.driver import Driver

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.store.memory import Memory

CAT = "0c" * 32
"""An upload that the first message to bob names."""
Damage = tuple["Callable[[Memory], None]", str]
"""What is done to a store, and the rule that it breaks."""


def life(driver: Driver) -> None:
    """A little of everything that a node writes."""
    driver.create("ann", "bob", "cat", name="Team")
    for user in ("ann", "bob"):
        driver.send(user, "group:g", "hi")
    driver.edit("ann", "group:g", 3, "ho")
    driver.edit("ann", "group:g", 3, "he")
    driver.react("cat", "group:g", 3, "x")
    driver.react("bob", "group:g", 4, "x")
    driver.react("bob", "group:g", 4, "x", on=False)
    driver.recall("ann", "group:g", 4)
    driver.remove("ann", "group:g", "cat")
    driver.send("ann", "group:g", "without cat")
    driver.add("ann", "group:g", "cat", "bob")
    driver.add("ann", "group:g", "cat")
    driver.update("ann", "group:g", user="cat", role="admin")
    driver.leave("ann", "group:g")
    driver.send("bob", "group:g", "without ann")
    driver.add("cat", "group:g", *"defgh")
    driver.upload(CAT)
    driver.send("ann", "user:bob", media=[CAT])
    driver.settle()
    driver.send("h", "group:g", "in a channel now")
    driver.update("cat", "group:g", name="Crowd")
    driver.leave("d", "group:g")
    driver.create("ann", "bob", kind="channel", group="c", history="joined")
    driver.send("bob", "channel:c")
    driver.edit("bob", "channel:c", 3, "ho")
    driver.add("ann", "channel:c", "cat")
    driver.send("ann", "user:ann")
    driver.edit("ann", "direct:ann,ann", 1, "secret")
    driver.recall("ann", "direct:ann,ann", 1)
    driver.block("ann", "eve")
    driver.connect("bob", cursor=4)
    driver.settle()
    driver.read("bob", "direct:ann,bob", 1)


def lived() -> Driver:
    """A node on which that happened."""
    driver = Driver()
    life(driver)
    return driver


def at(name: str, number: int) -> bytes:
    """The key of a place in a timeline or a conversation."""
    return keys.prefix(name) + keys.position(number)


def drop(store: Memory, column: str, key: bytes) -> None:
    """Lose a row."""
    rows = getattr(store.columns, column)
    assert key in rows.rows
    rows.delete_range(key, key + b"\0")


def change(store: Memory, column: str, key: bytes, old: bytes, new: bytes) -> None:
    """Put something else into a row."""
    rows = getattr(store.columns, column)
    assert old in rows.rows[key], rows.rows[key]
    rows.put(key, rows.rows[key].replace(old, new))


def broken(damage: Damage) -> set[str]:
    """The rules that a proof finds broken after some damage."""
    store = lived().store
    damage[0](store)
    return {problem.rule for problem in verify(store).problems}
