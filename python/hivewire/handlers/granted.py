"""A heartbeat that was granted: at `connect`, or later by `heartbeat`."""

from __future__ import annotations

from typing import Any, NamedTuple


class Granted(NamedTuple):
    """A heartbeat as the engine takes it; times in milliseconds."""

    interval_ms: int
    timeout_ms: int
    from_client: bool

    def to_dict(self) -> dict[str, Any]:
        """The heartbeat as the client is told it."""
        return {
            "interval_ms": self.interval_ms,
            "timeout_ms": self.timeout_ms,
            "from": "client" if self.from_client else "server",
        }
