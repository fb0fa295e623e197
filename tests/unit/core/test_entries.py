from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hivewire.core.entries import CursorEntry, DeviceEntry, SendEntry

Entry = SendEntry | CursorEntry | DeviceEntry


@pytest.mark.parametrize(
    "entry",
    [
        SendEntry(
            "a", "d", "direct:a,b", "key-0001", bytes(16), 1, 2, 3, (("a", 3), ("b", 4)), "hi"
        ),
        SendEntry(
            "a",
            "d",
            "direct:a,a",
            "key-0001",
            bytes(16),
            1,
            2,
            3,
            (("a", 3),),
            None,
            None,
            {"x": 1.5},
            1,
            ["b"],
        ),
        CursorEntry("a", "d", 3, 4),
        DeviceEntry("a", "d", 3, 4),
    ],
)
@pytest.mark.parametrize("encoding", [msgspec.json, msgspec.msgpack])
def test_I11_an_entry_can_be_a_record(entry: Entry, encoding: Any) -> None:
    assert encoding.decode(encoding.encode(entry), type=Entry) == entry
