"""Events, answers and keys."""

from __future__ import annotations

import re

import pytest

from hivewire.client.objects import Event, Item, Sent, new_key

pytestmark = pytest.mark.unit


def test_an_event_keeps_what_it_does_not_know() -> None:
    body = {"seq": 4, "type": "reaction", "conv": "c", "n": 2, "from": "b", "ts": 9, "emoji": "x"}
    event = Event.of(body)
    assert (event.seq, event.sender, event.text, event.body["emoji"]) == (4, "b", None, "x")


def test_an_item_shows_the_state_of_its_message() -> None:
    body = {"type": "message", "n": 2, "from": "b", "ts": 9, "text": "x", "edited": 12}
    more = {"reactions": {"+": ["a", "c"], "-": ["a"]}, "reaction_counts": {"+": 120}}
    item = Item.of(body | more, "group:g")
    assert (item.conv, item.edited, item.recalled, item.reply_to) == ("group:g", 12, None, None)
    assert item.reactions == {"+": ["a", "c"], "-": ["a"]}
    assert item.reaction_counts == {"+": 120, "-": 1}
    assert (item.media, item.mentions) == ([], [])


def test_a_channels_answer_has_no_seq() -> None:
    answer = {"op": "sent", "id": 1, "conv": "channel:c", "n": 2, "ts": 9, "dup": False}
    assert Sent.of(answer, "k").seq is None


def test_keys_are_fresh_valid_and_sort_by_time() -> None:
    keys = [new_key() for _ in range(1000)]
    assert len(set(keys)) == 1000
    assert all(re.fullmatch(r"[0-9A-Z]{26}", key) for key in keys)
    assert keys[0][:9] <= keys[-1][:9]
