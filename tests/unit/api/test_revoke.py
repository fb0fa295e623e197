"""The call that logs a user out everywhere."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from hivewire.auth import Refused

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
REVOKE = "/api/v1/server/revoke"


def verify(site: Site, token: str) -> str:
    return site.node.verifier.verify(token, int(time.time())).user


def test_older_tokens_are_refused_and_new_ones_count_at_once(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        ann, bob = site.bearer("ann"), site.bearer("bob")
        found = await site.post(None, REVOKE, user="ann")
        assert found["disconnected"] == 0
        assert abs(found["revoked_before"] / 1000 - time.time()) < 60
        with pytest.raises(Refused):
            verify(site, ann["Authorization"].removeprefix("Bearer "))
        assert verify(site, bob["Authorization"].removeprefix("Bearer ")) == "bob"
        fresh = await site.post(None, "/api/v1/server/tokens", user="ann")
        assert verify(site, fresh["token"]) == "ann"
        again = await site.post(None, REVOKE, user="ann")
        assert again["revoked_before"] >= found["revoked_before"]

    story(tmp_path, tell)


def test_connections_are_closed_with_4500(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        closed: list[tuple[int, int]] = []
        site.node.context.sessions = lambda _: [(7, "phone"), (8, "tab")]
        site.node.delivery.close = lambda caller, code, _: closed.append((caller.conn, code))
        assert (await site.post(None, REVOKE, user="ann"))["disconnected"] == 2
        assert closed == [(7, 4500), (8, 4500)]

    story(tmp_path, tell)


def test_a_poll_of_his_ends(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        poll = asyncio.create_task(site.get("ann", "/api/v1/events", wait=30))
        while not site.node.polls.open:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        await site.post(None, REVOKE, user="ann")
        assert (await asyncio.wait_for(poll, 20))["events"] == []

    story(tmp_path, tell)


@pytest.mark.parametrize(
    ("user", "body", "status"),
    [(None, {}, 400), (None, {"user": "no one"}, 400), ("ann", {"user": "bob"}, 401)],
)
def test_what_is_refused(
    tmp_path: Path, user: str | None, body: dict[str, Any], status: int
) -> None:
    async def tell(site: Site) -> None:
        await site.refused(user, "POST", REVOKE, status, json=body)

    story(tmp_path, tell)


def test_one_user_too_many_is_told_to_come_back(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.post(None, REVOKE, user="ann")
        await site.post(None, REVOKE, user="ann")
        error = await site.refused(None, "POST", REVOKE, 503, json={"user": "bob"})
        assert (error["code"], error["retryable"]) == ("unavailable", True)

    async def run(site: Site) -> None:
        auth = site.node.settings.auth.model_copy(update={"revocations": 1})
        site.node.services.settings = site.node.settings.model_copy(update={"auth": auth})
        await tell(site)

    story(tmp_path, run)
