from __future__ import annotations

import json

from hivewire.config import load
from hivewire.handlers.services import limits_of

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
    services = Driver(node={"name": 'a "node"'}).services
    assert json.loads(services.limits_json) == services.limits
    assert json.loads(services.epoch_json) == services.view.store.epoch
    assert json.loads(services.node_json) == 'a "node"'
