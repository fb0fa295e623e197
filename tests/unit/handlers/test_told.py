from __future__ import annotations

import json

from hivewire.config import load
from hivewire.handlers.told import connected_format, limits_of


def test_limits_has_the_names_of_the_protocol() -> None:
    assert set(limits_of(load())) == {
        *("message_bytes", "message_objects", "server_message_bytes", "text_bytes", "data_bytes"),
        *("page_events", "sends_in_flight", "sends_per_second", "devices", "watch"),
    }


def test_limits_tells_the_settings_of_the_node() -> None:
    told = limits_of(load(limits={"devices": 3, "message_bytes": "128KiB"}))
    assert (told["devices"], told["message_bytes"]) == (3, 128 * 1024)


def test_what_is_filled_in_may_hold_any_text() -> None:
    form = connected_format('"e%d"', {"devices": 3}, 'a "node" of 100%')
    values = (1, b"ann", b"phone", b"true", b"false", b"a1", 2, 2, 1, 3, 4, b"server", 5, 6, b"t")
    told = json.loads(form % values)
    assert (told["epoch"], told["node"]) == ('"e%d"', 'a "node" of 100%')
    assert (told["limits"], told["user"], told["ticket"]) == ({"devices": 3}, "ann", "t")
