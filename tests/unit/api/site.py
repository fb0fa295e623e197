"""A node with its api in one process: real store, real engine, HTTP without a socket."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from hivewire.api.listener import endpoints, make_app
from hivewire.app import Node
from hivewire.auth import mint_token
from hivewire.config import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from hivewire.api.endpoint import Endpoint
    from hivewire.hooks import App

SECRET = "0123456789abcdef0123456789abcdef"
KEY = "the-key-of-the-backend"
NO_RATES = {"sends_per_second": 0, "sends_per_second_user": 0}


class Site:
    """A node of the test and somebody to call it."""

    def __init__(self, node: Node, http: httpx.AsyncClient) -> None:
        self.node = node
        self.http = http

    def bearer(self, user: str, device: str | None = None) -> dict[str, str]:
        token = mint_token(self.node.settings.auth, user, device)
        return {"Authorization": f"Bearer {token}"}

    async def call(
        self, user: str | None, method: str, path: str, *, device: str | None = None, **more: Any
    ) -> httpx.Response:
        """A request of a user; None: of the backend."""
        headers = {"X-API-Key": KEY} if user is None else self.bearer(user, device)
        return await self.http.request(method, path, headers=headers, **more)

    async def get(self, user: str | None, path: str, /, **query: Any) -> Any:
        """What a good GET gives."""
        found = await self.call(user, "GET", path, params=query)
        assert found.status_code == 200, found.text
        return found.json()

    async def post(self, user: str | None, path: str, /, **body: Any) -> Any:
        """What a good POST gives."""
        found = await self.call(user, "POST", path, json=body)
        assert found.status_code == 200, found.text
        return found.json()

    async def refused(
        self, user: str | None, method: str, path: str, /, status: int, **more: Any
    ) -> dict[str, Any]:
        """The error of a request that is refused with this status."""
        found = await self.call(user, method, path, **more)
        assert found.status_code == status, found.text
        return found.json()["error"]

    async def says(self, user: str, to: str, text: str) -> dict[str, Any]:
        """A message by the node's own handlers: `sent`."""
        key = hashlib.sha256(f"{user} {to} {text}".encode()).hexdigest()
        fields = {"to": to, "key": key, "text": text}
        return msgspec.json.decode(await self.node.calls.run("send", fields, user, "phone"))

    async def does(self, user: str, op: str, /, **fields: Any) -> dict[str, Any]:
        """Any other command."""
        return msgspec.json.decode(await self.node.calls.run(op, fields, user, "phone"))


@contextlib.asynccontextmanager
async def site(
    path: Path,
    *,
    app: App | None = None,
    served: Callable[[Node], Sequence[Endpoint]] | None = None,
    **sections: dict[str, Any],
) -> AsyncIterator[Site]:
    """A node on `path`. `served` replaces its endpoints, `sections` add settings."""
    settings = load(
        auth={"secret": SECRET},
        edge={"address": "127.0.0.1:0", "shards": 1} | sections.pop("edge", {}),
        api={"address": "127.0.0.1:0", "key": KEY} | sections.pop("api", {}),
        limits=NO_RATES | sections.pop("limits", {}),
        store={"path": path / "data"},
        drain={"spread": "0s", "time": "1s"},
        **sections,
    )
    node = Node(settings, app)
    context = node.context
    routes = endpoints(context) if served is None else served(node)
    transport = httpx.ASGITransport(make_app(context, routes), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
        try:
            yield Site(node, http)
        finally:
            await node.stop()


def story(path: Path, tell: Callable[[Site], Awaitable[None]], **sections: Any) -> None:
    """Run a story on a site of its own."""

    async def run() -> None:
        async with site(path, **sections) as found:
            await tell(found)

    asyncio.run(run())
