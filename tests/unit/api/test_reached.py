"""How far a device was reached, from what the engine knows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hivewire.api.reached import Reached, reached
from hivewire.delivery.trace import Record

if TYPE_CHECKING:
    from hivewire.api.context import Passage

pytestmark = pytest.mark.unit
QUEUED, AT = 1_000.0, 5_000_000
"""When the message was given to the engine: by the wall, and by the monotonic clock."""
RECORD = Record(*(QUEUED,) * 5, [], [], [], 7, AT)


def after(ms: int) -> int:
    return AT + ms * 1_000_000


def of(*passages: Passage, acked: float | None = None, begins_later: bool = False) -> Reached:
    return reached(RECORD, [*passages], acked, begins_later=begins_later)


@pytest.mark.parametrize(
    ("passage", "state"),
    [
        (("d", "event", "written", after(2), 0), Reached("written", QUEUED + 2, None)),
        (("d", "event", "written", 0, 0), Reached("written", None, None)),
        (("d", "event", "written", after(2), after(9)), Reached("written", 1_002.0, 1_009.0)),
        (("d", "event", "waiting", after(1), 0), Reached("waiting", QUEUED + 1, None)),
        (("d", "event", "handed", 0, 0), Reached("handed", None, None)),
        (("d", "event", "lost", after(3), after(4)), Reached("lost", 1_003.0, 1_004.0)),
        (("d", "page", "written", after(50), 0), Reached("page", QUEUED + 50, None)),
        (("d", "page", "waiting", after(50), 0), Reached("waiting", QUEUED + 50, None)),
        (("d", "behind", None, 0, 0), Reached("catching_up", None, None)),
        (("d", "behind", None, 0, after(2)), Reached("not_connected", None, None)),
        (("d", "event", "written", after(-5), after(-1)), Reached("not_connected", None, None)),
    ],
)
def test_one_connection(passage: Passage, state: Reached) -> None:
    assert of(passage) == state


def test_of_several_connections_the_first_that_was_reached_counts() -> None:
    lost = ("d", "event", "lost", after(3), after(4))
    page, again = (("d", "page", "written", after(at), 0) for at in (20, 90))
    assert of(lost, page, again) == Reached("page", QUEUED + 20, None)
    waiting = ("d", "page", "waiting", after(30), 0)
    assert of(lost, waiting) == Reached("waiting", QUEUED + 30, None)
    assert of() == Reached("not_connected", None, None)


def test_a_page_after_the_acknowledgement_had_the_message_no_more() -> None:
    page = ("d", "page", "written", after(90), 0)
    assert of(page, acked=QUEUED + 40).state == "not_connected"
    assert of(page, acked=QUEUED + 91).state == "page"


def test_a_new_device_begins_behind_it() -> None:
    page = ("d", "page", "written", after(90), 0)
    assert of(page, begins_later=True) == Reached("begins_later", None, None)
