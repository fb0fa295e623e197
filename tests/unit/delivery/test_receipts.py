from __future__ import annotations

import msgspec

from hivewire.core.entries import MarkEntry
from hivewire.core.marks import Covered
from hivewire.core.view import View
from hivewire.delivery.receipts import GATHER_MS, RIDE_MS, Push, Receipts
from hivewire.store.memory import Memory

CONV = "direct:ann,bob"
NOBODY: frozenset[str] = frozenset()


class Told:
    """Receipts, and what they would push; `take` is what goes without an event."""

    def __init__(self) -> None:
        self.asked = 0
        self.receipts = Receipts(View(Memory()), self._soon)

    def note(self, user: str, delivered: int, read: int, conv: str = CONV) -> None:
        self.receipts.note(Covered(MarkEntry(user, conv, delivered, read), NOBODY))

    def take(self) -> list[tuple[str, str, int, int]]:
        self.receipts.ride()
        return _read(self.receipts.take(with_twin=False))

    def take_of(self, conv: str = CONV) -> list[tuple[str, str, int, int]]:
        return _read(self.receipts.take_of(conv, with_twin=False))

    def _soon(self) -> None:
        self.asked += 1


def _read(pushes: list[Push]) -> list[tuple[str, str, int, int]]:
    told = [(user, msgspec.json.decode(body)) for user, body, _ in pushes]
    return [(user, r["user"], r["delivered"], r["read"]) for user, r in told]


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


def test_what_is_gathered_long_enough_goes_with_the_next_event_of_its_conversation() -> None:
    told = Told()
    told.note("bob", 3, 2)
    told.note("cat", 1, 0, conv="group:other")
    assert not told.receipts.riding
    assert told.receipts.ride()
    assert sorted(told.receipts.riding) == [CONV, "group:other"]
    assert told.take_of() == [("ann", "bob", 3, 2), ("bob", "bob", 3, 2)]
    assert told.take() == [("cat", "cat", 1, 0)]
    assert not told.receipts.ride()


def test_what_moves_while_a_receipt_rides_is_told_with_it() -> None:
    told = Told()
    told.note("bob", 3, 2)
    told.receipts.ride()
    told.note("bob", 4, 2)
    assert told.asked == 1
    assert told.take_of()[0] == ("ann", "bob", 4, 2)
    assert told.take() == []


def test_both_waits_together_are_within_the_second_of_the_contract() -> None:
    assert GATHER_MS + RIDE_MS < 1_000


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


def test_who_joins_again_while_a_receipt_rides_is_told_nothing_older() -> None:
    told = Told()
    told.note("bob", 11, 7)
    told.receipts.ride()
    told.receipts.catch_up(MarkEntry("bob", CONV, 19, 19))
    told.receipts.catch_up(MarkEntry("ann", CONV, 4, 4))
    assert told.take_of() == [("ann", "bob", 19, 19), ("bob", "bob", 19, 19)]


def test_those_who_speak_messagepack_get_a_twin() -> None:
    told = Told()
    told.note("bob", 1, 0)
    told.receipts.ride()
    (_, body, twin), _ = told.receipts.take(with_twin=True)
    assert twin is not None
    assert msgspec.msgpack.decode(twin) == msgspec.json.decode(body)
