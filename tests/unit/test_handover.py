"""The form in which one node leaves its things to the next."""

from __future__ import annotations

from hivewire.handover import VERSION, Handover


def test_another_form_has_another_version() -> None:
    """Who changes the fields changes the number: older code must not take them."""
    fields = (
        *("engine", "edge", "listener", "store", "metrics", "waiting", "msgpack_sessions"),
        *("standing", "unfinished", "retention", "keys", "trace", "trail"),
    )
    assert (VERSION, Handover._fields) == (2, fields)
