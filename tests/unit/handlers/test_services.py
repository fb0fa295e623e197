from __future__ import annotations

import json

from hivewire.config import load
from hivewire.handlers.told import limits_of

from .driver import Driver


def test_limits_has_the_names_of_the_protocol() -> None:
    assert set(limits_of(load())) == {
        *("message_bytes", "message_objects", "server_message_bytes", "text_bytes", "data_bytes"),
        *("page_events", "sends_in_flight", "sends_per_second", "devices", "watch"),
    }


def test_limits_tells_the_settings_of_the_node() -> None:
    told = limits_of(load(limits={"devices": 3, "message_bytes": "128KiB"}))
    assert (told["devices"], told["message_bytes"]) == (3, 128 * 1024)


def test_what_every_connected_says_is_encoded_once() -> None:
    services = Driver(node={"name": 'a "node" of 100%'}).services
    values = (1, b"ann", b"phone", b"true", b"false", b"a1", 2, 2, 1, 3, 4, b"server", 5, 6, b"t")
    connected = json.loads(services.connected_format % values)
    assert connected["limits"] == services.limits
    assert connected["epoch"] == services.view.store.epoch
    assert connected["node"] == 'a "node" of 100%'
