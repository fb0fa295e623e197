"""A receiver of hivewire's webhooks: checks the signature and hands the push on.

    SECRET=… uvicorn receiver:app --port 9000

and in the node's settings `push.webhooks = { mobile = "http://127.0.0.1:9000/" }`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

SECRET = os.environ["SECRET"].encode()
seen: dict[str, None] = {}


def is_genuine(body: bytes, header: str) -> bool:
    """Whether this node sent it, in the last five minutes."""
    fields = [field.partition("=") for field in header.split(",")]
    sent = next((value for name, _, value in fields if name == "t"), "")
    if not sent.isdecimal() or abs(time.time() - int(sent)) > 300:
        return False
    expected = hmac.digest(SECRET, sent.encode() + b"." + body, hashlib.sha256).hex()
    return any(name == "v1" and hmac.compare_digest(v, expected) for name, _, v in fields)


async def receive(request: Request) -> Response:
    """204: taken. 410: this device is gone. 5xx: come again."""
    if not is_genuine(await request.body(), request.headers.get("Hivewire-Signature", "")):
        return Response(status_code=403)
    push: dict[str, Any] = await request.json()
    # A push may come twice, where an answer got lost; its `id` is the same.
    if push["id"] not in seen:
        seen[push["id"]] = None
        print(push["type"], push["token"], push["conv"], push.get("text"), flush=True)  # noqa: T201
    return Response(status_code=204)


app = Starlette(routes=[Route("/", receive, methods=["POST"])])
