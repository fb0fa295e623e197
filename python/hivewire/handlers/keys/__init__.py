"""The public keys of devices, for end-to-end encryption (docs/e2ee.md)."""

from __future__ import annotations

from hivewire.handlers.keys import get, put

__all__ = ["get", "put"]
