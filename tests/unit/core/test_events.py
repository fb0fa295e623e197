from __future__ import annotations

import msgspec
import pytest

from hivewire.core import events
from hivewire.core.events import Message
from hivewire.store import keys

BODY = Message("direct:ann,bob", 7, "ann", "key-0001", 5, text="hi")


def test_a_message_begins_as_readers_of_many_rows_expect() -> None:
    assert events.encode(BODY).startswith(events.MESSAGE_START)


def test_what_is_absent_is_left_out() -> None:
    assert list(events.decode(events.encode(BODY))) == [
        *("type", "conv", "n", "from", "key", "ts", "text"),
    ]


def test_a_recalled_message_has_lost_what_it_said_and_kept_its_place() -> None:
    whole = Message(
        *("direct:ann,bob", 7, "ann", "key-0001", 5, "hi", ["m"], {"a": 1}, 3, ["bob"]),
    )
    gone = events.recalled(events.decode(events.encode(whole)), 9)
    assert gone == {
        "type": "message",
        "recalled": 9,
        "conv": "direct:ann,bob",
        "n": 7,
        "from": "ann",
        "key": "key-0001",
        "ts": 5,
    }
    assert events.encode(gone).startswith(events.RECALLED_START)


def test_a_recalled_edit_still_says_what_it_was_of() -> None:
    edit = {"type": "edit", "conv": "c", "n": 8, "from": "ann", "key": "k", "ts": 5, "target": 7}
    assert events.recalled(edit | {"text": "ho"}, 9) == edit | {"recalled": 9}


def test_the_twin_says_the_same() -> None:
    body = {"a": [1, 2.5, None, True, "é"], "b": {"c": -1}}
    assert msgspec.msgpack.decode(events.twin(events.encode(body))) == body


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (events.ROLES, events.ROLE_NUMBERS),
        (events.KINDS, events.KIND_NUMBERS),
        (events.HISTORIES, events.HISTORY_NUMBERS),
    ],
)
def test_every_name_has_its_number(names: dict[int, str], numbers: dict[str, int]) -> None:
    assert {number: name for name, number in numbers.items()} == names


def test_every_type_of_timeline_row_has_its_name() -> None:
    assert set(events.TYPES) | {keys.TYPE_MESSAGE} == set(
        range(keys.TYPE_MESSAGE, keys.TYPE_CONVERSATION + 1)
    )
