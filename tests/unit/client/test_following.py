"""Own messages become delivered and read, once each."""

from __future__ import annotations

import pytest

from hivewire.client.following import MAX_FOLLOWED, Following, Status
from hivewire.client.pushes import Receipt

pytestmark = pytest.mark.unit

CONV = "direct:a,b"


def following(*places: int) -> tuple[Following, list[str]]:
    told: list[str] = []
    found = Following(lambda status: told.append(f"{status.n} {status.state} {status.by}"))
    for n in places:
        found.on_status(sent(n))
    told.clear()
    return found, told


def sent(n: int, op: str = "send") -> Status:
    return Status(key=f"key-{n}", state="sent", command={"op": op}, conv=CONV, n=n)


def test_a_receipt_moves_what_it_covers() -> None:
    found, told = following(1, 3, 5)
    found.on_receipt(Receipt(CONV, "b", 3, 1), "a")
    assert told == ["1 read b", "3 delivered b"]
    found.on_receipt(Receipt(CONV, "b", 3, 1), "a")
    found.on_receipt(Receipt("direct:a,c", "c", 9, 9), "a")
    found.on_receipt(Receipt(CONV, "a", 9, 9), "a")
    assert len(told) == 2, "the same again, elsewhere, and from oneself is nothing"
    found.on_receipt(Receipt(CONV, "b", 5, 5), "a")
    assert told[2:] == ["3 read b", "5 read b"]
    assert len(found) == 0


def test_a_mark_never_goes_back() -> None:
    found, told = following(2)
    found.on_receipt(Receipt(CONV, "b", 2, 0), "a")
    found.on_receipt(Receipt(CONV, "c", 1, 0), "a")
    assert told == ["2 delivered b"]


def test_only_messages_are_followed_and_not_without_end() -> None:
    found, _ = following()
    found.on_status(sent(1, "edit"))
    assert len(found) == 0
    for n in range(MAX_FOLLOWED + 5):
        found.on_status(sent(n + 1))
    assert len(found) == MAX_FOLLOWED
