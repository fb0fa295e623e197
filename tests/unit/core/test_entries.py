from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hivewire.core import entries as e

Entry = (
    e.SendEntry
    | e.ChangeEntry
    | e.BlockEntry
    | e.MarkEntry
    | e.CursorEntry
    | e.DeviceEntry
    | e.PresenceEntry
    | e.MediaEntry
    | e.MediaGoneEntry
)
PLACES = (("a", 3), ("b", 4))
EFFECTS: tuple[e.Effect, ...] = (
    e.SetState(1, {"edited": 5, "text": "ho", "edits": [2], "counts": {"👍": 1}}),
    e.Rewrite(1, {"type": "message", "recalled": 5}),
    e.SetReaction(1, "👍", "a", on=True),
    e.SetConversation(2, 5, 1, 2, "Team"),
    e.SetMember("a", 3, 0, 2, 2),
    e.SetMember("a", 3, 0, 2, None),
    e.DropMember("b"),
    e.CountChannel("b", -1),
    e.Unname(1, ["0f"]),
)
ENTRIES: list[Entry] = [
    e.SendEntry("a", "d", "direct:a,b", "key-0001", bytes(16), 1, 2, 3, PLACES, "hi"),
    e.SendEntry(
        *("a", "d", "direct:a,a", "key-0001", bytes(16), 1, 2, 3, (("a", 3),)),
        data={"x": 1.5},
        reply_to=1,
        mentions=["b"],
    ),
    e.ChangeEntry(
        *(2, "a", "d", "group:g", "key-0001", bytes(range(16)), 2, 3, 5),
        parts=(e.Part(2, 2, PLACES, {"type": "edit", "n": 2, "text": "ho"}),),
        effects=EFFECTS,
    ),
    e.BlockEntry("a", "b", on=True),
    e.MarkEntry("a", "direct:a,b", 3, 2),
    e.CursorEntry("a", "d", 3, 4, 1),
    e.DeviceEntry("a", "d", 3, 4, 0),
    e.PresenceEntry("a", 5, hidden=True),
    e.MediaEntry("0f", "a", 5, "image/png", 70, 4, 3, thumbnail=True, total=170),
    e.MediaGoneEntry("0f", 100),
]


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("encoding", [msgspec.json, msgspec.msgpack])
def test_I11_an_entry_can_be_a_record(entry: Entry, encoding: Any) -> None:
    assert encoding.decode(encoding.encode(entry), type=Entry) == entry


def test_every_effect_is_tried_above() -> None:
    assert {type(effect) for effect in EFFECTS} == set(e.Effect.__args__)
