"""Messages and what is done to them, as commands of the protocol."""

from __future__ import annotations

import pytest

from tests.unit.client.verbs.asked import Asked

pytestmark = pytest.mark.unit

KEY = "key-00001"
SENT = {"op": "sent", "conv": "direct:a,b", "n": 7, "seq": 9, "ts": 1, "dup": False}


async def test_a_message_has_the_parts_that_are_given() -> None:
    asked = Asked(**SENT)
    sent = await asked.send("user:b", text="hi", key=KEY)
    assert (sent.n, sent.seq, sent.key) == (7, 9, KEY)
    await asked.send("c", media=("m1",), data={"x": 1}, reply_to=3, mentions=("b",), key=KEY)
    assert asked.asked == [
        {"op": "send", "key": KEY, "to": "user:b", "text": "hi"},
        {
            "op": "send",
            "key": KEY,
            "to": "c",
            "media": ["m1"],
            "mentions": ["b"],
            "data": {"x": 1},
            "reply_to": 3,
        },
    ]


async def test_changes_name_their_target() -> None:
    asked = Asked(**SENT)
    await asked.edit("c", 4, "better", key=KEY)
    await asked.recall("c", 4, key=KEY)
    await asked.react("c", 4, "+", key=KEY)
    await asked.react("c", 4, "+", on=False, key=KEY)
    target = {"key": KEY, "conv": "c", "n": 4}
    assert asked.asked == [
        {"op": "edit", **target, "text": "better"},
        {"op": "recall", **target},
        {"op": "react", **target, "emoji": "+", "on": True},
        {"op": "react", **target, "emoji": "+", "on": False},
    ]


async def test_a_key_is_made_where_none_is_given() -> None:
    asked = Asked(**SENT)
    keys = {(await asked.send("c", text="x")).key, (await asked.recall("c", 1)).key}
    assert len(keys) == 2
    assert {command["key"] for command in asked.asked} == keys


async def test_the_outcome_of_a_key() -> None:
    asked = Asked(op="outcome", key=KEY, sent=SENT, recipients=[])
    assert (await asked.outcome(KEY)).sent.n == 7
    assert asked.asked == [{"op": "outcome", "key": KEY}]
