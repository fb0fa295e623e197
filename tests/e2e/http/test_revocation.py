"""A user's tokens are revoked: everywhere, at once, and for good."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx

from tests.e2e.http.web import Web, url
from tests.e2e.stranger import Stranger
from tests.issuer import Issuer
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]
    Start = Callable[..., Node]


async def turned_away(node: Node, code: int, **shown: str) -> None:
    line = await Stranger.dial(node)
    line.tell("connect", id=1, device="phone", **shown)
    await line.expect_closed(code)


async def status(node: Node, token: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as http:
        shown = {"Authorization": f"Bearer {token}"}
        found = await http.get(f"{url(node)}/api/v1/conversations", headers=shown)
    return found.status_code


async def test_c7_a_revoked_user_is_out_everywhere(node: Node, name: Name) -> None:
    me, other = name("ann"), name("bob")
    old = token(me, iat=int(time.time()))
    async with Web.of(node, None) as backend, await Stranger.join(node, other) as bob:
        phone, tab = await Stranger.dial(node), await Stranger.dial(node)
        ticket = (await phone.connect(token=old, device="phone"))["ticket"]
        await tab.connect(token=old, device="tab")
        found = await backend.post("/api/v1/server/revoke", user=me)
        assert found["disconnected"] == 2
        for line in (phone, tab):
            assert (await line.expect_closed(4500)).bye is not None
        await turned_away(node, 4500, token=old)
        await turned_away(node, 4002, ticket=ticket)
        # Who cannot say when it was issued is as good as old.
        await turned_away(node, 4500, token=token(me))
        assert await status(node, old) == 401
        assert (await bob.call("ping"))["op"] == "pong"
        assert (await bob.refused("refresh", token=old))["code"] == "unauthorized"
        fresh = (await backend.post("/api/v1/server/tokens", user=me))["token"]
        assert await status(node, fresh) == 200
        back = await Stranger.dial(node)
        again = await back.connect(token=fresh, device="phone")
        await back.leave()
        async with await Stranger.dial(node) as line:
            await line.connect(ticket=again["ticket"], device="phone")


async def test_i1_what_was_answered_is_revoked_after_a_kill(start_node: Start) -> None:
    node = start_node()
    old = token("ann", iat=int(time.time()))
    line = await Stranger.dial(node)
    ticket = (await line.connect(token=old, device="phone"))["ticket"]
    async with Web.of(node, None) as backend:
        await backend.post("/api/v1/server/revoke", user="ann")
    node.kill9()
    node.restart()
    await turned_away(node, 4500, token=old)
    await turned_away(node, 4002, ticket=ticket)


async def test_c7_published_keys_count_over_http_and_revocation_counts_for_them(
    start_node: Start,
) -> None:
    with Issuer() as issuer:
        node = start_node(env=issuer.env)
        old = issuer.token("ann")
        assert await asyncio.gather(*(status(node, old) for _ in range(5))) == [200] * 5
        issuer.rotate("second")
        assert await status(node, issuer.token("ann")) == 200
        async with Web.of(node, None) as backend:
            await backend.post("/api/v1/server/revoke", user="ann")
        assert await status(node, old) == 401
        assert await status(node, issuer.token("ann", iat=int(time.time()) + 1)) == 200
        issuer.stop()
        issuer.rotate("third")
        assert await status(node, issuer.token("bob")) == 503
