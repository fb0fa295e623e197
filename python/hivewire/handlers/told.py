"""What every `connected` tells alike: the node's limits, and the form that the rest goes into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hivewire.core.limits import COMMAND_OBJECTS, DATA_BYTES, TEXT_BYTES
from hivewire.delivery import JSON, encode

if TYPE_CHECKING:
    from hivewire.config import Settings


def limits_of(settings: Settings) -> dict[str, Any]:
    """The `limits` of `connected` (protocol, section 3)."""
    limits = settings.limits
    return {
        "message_bytes": limits.message_bytes,
        "message_objects": COMMAND_OBJECTS,
        "server_message_bytes": limits.server_message_bytes,
        "text_bytes": TEXT_BYTES,
        "data_bytes": DATA_BYTES,
        "page_events": limits.page_events,
        "sends_in_flight": limits.sends_in_flight,
        "sends_per_second": limits.sends_per_second,
        "devices": limits.devices,
        "watch": limits.watch,
    }


def connected_format(epoch: str, limits: dict[str, Any], node: str) -> bytes:
    """What `connected_json` fills in: a third less to do with these three in it already."""
    fixed = [encode(JSON, value).replace(b"%", b"%%") for value in (epoch, limits, node)]
    return (
        b'{"op":"connected","id":%%d,"user":"%%b","device":"%%b","new_device":%%b,"reset":%%b,'
        b'"session":"%%b","epoch":%b,"head":%%d,"cursor":%%d,"trimmed_before":%%d,'
        b'"heartbeat":{"interval_ms":%%d,"timeout_ms":%%d,"from":"%%b"},"limits":%b,'
        b'"server_time":%%d,"token_expires":%%d,"ticket":"%%b","node":%b}'
    ) % (*fixed,)
