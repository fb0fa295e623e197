"""This device and its keys: protocol.md section 7."""

from __future__ import annotations

from typing import Any

from hivewire.client.verbs.asking import Asking


class DeviceVerbs(Asking):
    """Be woken when away; publish and look up public keys. Fields and answers as on the wire."""

    async def push_register(self, kind: str, endpoint: str, **fields: object) -> dict[str, Any]:
        """Have this device woken at `endpoint` when it is away."""
        return await self.ask("push.register", kind=kind, endpoint=endpoint, **fields)

    async def push_unregister(self, **fields: object) -> dict[str, Any]:
        """Have it woken no more."""
        return await self.ask("push.unregister", **fields)

    async def keys_put(self, **fields: object) -> dict[str, Any]:
        """Publish this device's public keys."""
        return await self.ask("keys.put", **fields)

    async def keys_get(self, user: str) -> dict[str, Any]:
        """The public keys of a user's devices."""
        return await self.ask("keys.get", user=user)
