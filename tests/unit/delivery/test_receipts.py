from __future__ import annotations

import msgspec

from hivewire.core.entries import MarkEntry
from hivewire.core.marks import Covered
from hivewire.core.view import View
from hivewire.delivery.receipts import Receipts
from hivewire.store.memory import Memory

CONV = "direct:ann,bob"
NOBODY: frozenset[str] = frozenset()


class Told:
    """Receipts, and what they would push."""

    def __init__(self) -> None:
        self.asked = 0
        self.receipts = Receipts(View(Memory()), self._soon)

    def note(self, user: str, delivered: int, read: int, conv: str = CONV) -> None:
        self.receipts.note(Covered(MarkEntry(user, conv, delivered, read), NOBODY))

    def take(self) -> list[tuple[str, str, int, int]]:
        pushes = [
            (user, msgspec.json.decode(body))
            for user, body, _ in self.receipts.take(with_twin=False)
        ]
        return [(user, r["user"], r["delivered"], r["read"]) for user, r in pushes]

    def _soon(self) -> None:
        self.asked += 1


def test_in_a_direct_chat_both_sides_are_told() -> None:
    told = Told()
    told.note("bob", 3, 2)
    assert told.take() == [("ann", "bob", 3, 2), ("bob", "bob", 3, 2)]
    assert told.take() == []


def test_what_is_gathered_is_told_once_and_asked_for_once() -> None:
    told = Told()
    told.note("bob", 3, 2)
    told.note("bob", 5, 5)
    assert told.asked == 1
    assert told.take() == [("ann", "bob", 5, 5), ("bob", "bob", 5, 5)]


def test_of_a_conversation_that_is_not_there_only_oneself_is_told() -> None:
    told = Told()
    told.note("bob", 1, 1, conv="group:gone")
    assert told.take() == [("bob", "bob", 1, 1)]


def test_who_joins_again_is_told_nothing_older() -> None:
    told = Told()
    told.note("bob", 11, 7)
    told.receipts.catch_up(MarkEntry("bob", CONV, 19, 19))
    told.receipts.catch_up(MarkEntry("ann", CONV, 4, 4))
    assert told.take() == [("ann", "bob", 19, 19), ("bob", "bob", 19, 19)]


def test_those_who_speak_messagepack_get_a_twin() -> None:
    told = Told()
    told.note("bob", 1, 0)
    (_, body, twin), _ = told.receipts.take(with_twin=True)
    assert twin is not None
    assert msgspec.msgpack.decode(twin) == msgspec.json.decode(body)
