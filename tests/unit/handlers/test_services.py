from __future__ import annotations

import json

from .driver import Driver


def test_what_every_connected_says_is_encoded_once() -> None:
    services = Driver(node={"name": 'a "node" of 100%'}).services
    values = (1, b"ann", b"phone", b"true", b"false", b"a1", 2, 2, 1, 3, 4, b"server", 5, 6, b"t")
    connected = json.loads(services.connected_format % values)
    assert connected["limits"] == services.limits
    assert connected["epoch"] == services.view.store.epoch
    assert connected["node"] == 'a "node" of 100%'


def test_who_has_no_wish_gets_the_heartbeat_of_the_settings() -> None:
    services = Driver(heartbeat={"interval": "20s", "timeout": "4s"}).services
    assert services.usual_heartbeat == (20_000, 4_000, False)
