"""A client of the api listener by someone who has read docs/protocol.md and nothing else."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

import httpx

from tests.node import API_KEY
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.node import Node

SECONDS = 40.0
"""Longer than the longest poll."""


class Refused(AssertionError):
    """An error came where the test wanted an answer."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(f"{response.status_code} {response.text}")
        self.status = response.status_code
        self.error: dict[str, Any] = response.json()["error"]


class Web:
    """One user over HTTP, or the backend (`user` None)."""

    def __init__(self, node: Node, user: str | None, http: httpx.AsyncClient) -> None:
        self.node = node
        self.user = user or ""
        self.http = http

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, node: Node, user: str | None) -> AsyncIterator[Self]:
        """A client with a token of `user`, or with the key."""
        shown = {"X-API-Key": API_KEY} if user is None else bearer(user)
        async with httpx.AsyncClient(
            base_url=url(node), headers=shown, timeout=SECONDS, trust_env=False
        ) as http:
            yield cls(node, user, http)

    async def get(self, path: str, /, **query: Any) -> Any:
        """The JSON of a GET; Refused if it is an error."""
        return answer(await self.http.get(path, params=query))

    async def post(self, path: str, /, **body: Any) -> Any:
        """The JSON of a POST; Refused if it is an error."""
        return answer(await self.http.post(path, json=body))

    async def send(self, target: str, text: str, **more: Any) -> dict[str, Any]:
        """`rtm.send`."""
        fields = {"sourceID": self.user, "targetID": target, "text": text} | more
        return await self.post("/api/v1/rtm.send", **fields)

    async def receive(self, target: str, **more: Any) -> dict[str, Any]:
        """`rtm.receive`."""
        query = {"sourceID": self.user, "targetID": target} | more
        return await self.get("/api/v1/rtm.receive", **query)

    async def events(self, **query: Any) -> dict[str, Any]:
        """A page of the timeline."""
        return await self.get("/api/v1/events", **query)


def url(node: Node) -> str:
    """Where the api of a node is."""
    host, port = node.api
    return f"http://{host}:{port}"


def bearer(user: str) -> dict[str, str]:
    """The header of a user's token."""
    return {"Authorization": f"Bearer {token(user)}"}


def answer(response: httpx.Response) -> Any:
    """The JSON of a good answer."""
    if response.status_code != 200:
        raise Refused(response)
    return response.json()
