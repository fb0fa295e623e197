"""Uploads as a stranger makes them, for messages that name some."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tests.e2e.http.web import Web, answer

if TYPE_CHECKING:
    from tests.node import Node

PATH = "/api/v1/media"


async def upload(node: Node, user: str, data: bytes) -> dict[str, Any]:
    """What the upload of a file is answered with."""
    async with Web.of(node, user) as web:
        return answer(await web.http.post(PATH, content=data))


async def upload_texts(node: Node, user: str, *texts: str) -> list[str]:
    """Upload small files; their ids."""
    return [(await upload(node, user, text.encode()))["id"] for text in texts]


def id_of(text: str) -> str:
    """The id that such a file has."""
    return hashlib.sha256(text.encode()).hexdigest()
