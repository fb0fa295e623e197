"""The HTTP side of a node (protocol.md section 9): health and metrics so far."""

from __future__ import annotations

from hivewire.api.listener import Api

__all__ = ["Api"]
