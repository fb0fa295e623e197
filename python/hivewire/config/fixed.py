"""What a running node keeps: settings of its sockets, its engine and its open database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hivewire.config.settings import Settings

FIXED: Final = {
    "edge": ("address", "insecure", "deflate", "origins", "shards", "tls_cert", "tls_key"),
    "api": ("address", "insecure"),
    "store": ("path", "sync", "block_cache", "write_buffer", "open_files"),
    "limits": (
        *("max_connections", "message_bytes", "message_fragments", "message_time"),
        *("inflated_bytes", "opening_bytes", "opening_time", "inbound_bytes"),
        *("outbox_soft", "outbox_hard", "outbox_total", "outbox_stall", "control_per_second"),
    ),
    "admission": (
        *("connects_per_second", "connects_burst", "tls_per_second", "tls_burst"),
        *("sync_bytes_per_second", "sync_bytes_burst", "address_per_second", "address_burst"),
    ),
    "memory": ("limit",),
}
"""By section, the settings that a reload does not change; only a new process reads them."""


def keep_fixed(old: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """`new` with what cannot change as it is in `old`; and the names of what would have changed."""
    update: dict[str, object] = {}
    kept: list[str] = []
    for section, names in FIXED.items():
        before, after = getattr(old, section), getattr(new, section)
        values = {name: getattr(before, name) for name in names}
        kept += [f"{section}.{name}" for name in names if values[name] != getattr(after, name)]
        update[section] = after.model_copy(update=values)
    return new.model_copy(update=update), kept
