"""Calls of the backend: it speaks for any user, with that user's rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hivewire.auth import Verifier
from hivewire.hooks import App, Message, Refuse

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
SERVER = "/api/v1/server"


async def asks(site: Site, name: str, /, **body: Any) -> Any:
    return await site.post(None, f"{SERVER}/{name}", **body)


async def refused(site: Site, name: str, /, status: int, **body: Any) -> dict[str, Any]:
    return await site.refused(None, "POST", f"{SERVER}/{name}", status, json=body)


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"from": "ann", "to": "user:bob", "key": f"key-{text:0>8}", "text": text} | more


def test_i1_a_send_is_answered_as_sent_when_it_is_durable(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        sent = await asks(site, "send", **says("1", data={"a": [1]}, mentions=["bob"]))
        assert sent == {
            "op": "sent",
            "conv": "direct:ann,bob",
            "n": 1,
            "seq": 1,
            "ts": sent["ts"],
            "dup": False,
        }
        assert site.node.view.user("bob").durable == 1
        again = await asks(site, "send", **says("1", data={"a": [1]}, mentions=["bob"]))
        assert again == sent | {"dup": True}
        assert (await refused(site, "send", 409, **says("2", key=says("1")["key"])))["field"]

    story(tmp_path, tell)


def test_a_send_has_the_rights_of_its_user(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.does("bob", "block", user="ann")
        assert (await refused(site, "send", 403, **says("1")))["code"] == "forbidden"
        assert (await refused(site, "send", 403, **says("1", to="group:none")))["field"] == "to"
        wrong = says("1", **{"from": "ann\n"})
        assert (await refused(site, "send", 400, **wrong))["field"] == "from"
        assert (await refused(site, "send", 400, to="user:bob"))["field"] == "from"

    story(tmp_path, tell)


def test_the_application_does_not_judge_its_own_backend(tmp_path: Path) -> None:
    app = App()

    @app.on_send
    async def judge(message: Message) -> None:
        raise Refuse("no", code="forbidden")

    async def tell(site: Site) -> None:
        assert (await asks(site, "send", **says("1")))["n"] == 1
        body = {"sourceID": "ann", "targetID": "bob", "text": "hi"}
        await site.refused("ann", "POST", "/api/v1/rtm.send", 403, json=body)

    story(tmp_path, tell, app=app)


def test_a_broadcast_reaches_whom_it_can_and_only_once(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        targets = [*(f"user:u{n}" for n in range(60)), "group:none"]
        body = {"from": "ann", "to": targets, "key": "news-of-today", "text": "news"}
        first = (await asks(site, "broadcast", **body))["results"]
        assert [one["to"] for one in first] == targets
        assert all(one["sent"]["n"] == 1 and not one["sent"]["dup"] for one in first[:-1])
        assert first[-1]["error"]["code"] == "forbidden"
        assert "sent" not in first[-1]
        again = (await asks(site, "broadcast", **body))["results"]
        assert all(one["sent"]["dup"] for one in again[:-1])
        assert site.node.view.user("u59").durable == 1
        for wrong in ([], ["user:x"] * 501):
            assert (await refused(site, "broadcast", 400, **body | {"to": wrong}))["field"] == "to"

    story(tmp_path, tell)


def test_who_is_there(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        site.node.services.devices = lambda user: ["phone"] if user == "ann" else []
        site.node.ticker.presence.people._devices = site.node.services.devices
        found = await asks(site, "presence", users=["ann", "bob", "ann"])
        assert found["items"] == [
            {"user": "ann", "state": "online", "last_seen": None, "devices": ["phone"]},
            {"user": "bob", "state": "offline", "last_seen": None, "devices": []},
        ]
        assert len(site.node.ticker.presence.people) == 0
        assert (await refused(site, "presence", 400, users=["no one"]))["field"] == "users"
        assert (await refused(site, "presence", 400, users=["x"] * 501))["field"] == "users"

    story(tmp_path, tell)


def test_any_conversation_is_read(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        for text in "abc":
            await site.says("ann", "user:bob", text)
        conv = "direct:ann,bob"
        newest = await asks(site, "history", conv=conv, limit=2)
        assert [one["text"] for one in newest["items"]] == ["b", "c"]
        assert newest["done"] is False
        later = await asks(site, "history", conv=conv, after=1)
        assert [one["text"] for one in later["items"]] == ["b", "c"]
        both = {"conv": conv, "before": 1, "after": 1}
        assert (await refused(site, "history", 400, **both))["field"] == "after"
        assert (await refused(site, "history", 400, conv="nonsense"))["field"] == "conv"
        assert (await refused(site, "history", 404, conv="group:none"))["code"] == "not_found"

    story(tmp_path, tell)


def test_tokens_are_good_for_whom_they_name(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        now_s = site.node.context.clock_ms() // 1000
        found = await asks(site, "tokens", user="ann", device="phone", ttl=60)
        identity = Verifier(site.node.settings.auth).verify(found["token"], now_s)
        assert (identity.user, identity.device) == ("ann", "phone")
        assert found["token_expires"] == identity.expires * 1000
        assert 58 <= identity.expires - now_s <= 61
        assert (await refused(site, "tokens", 400, user="no one"))["field"] == "user"
        assert (await refused(site, "tokens", 400, user="ann", ttl=0))["field"] == "ttl"

    story(tmp_path, tell)


def test_a_node_that_cannot_sign_says_so(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        settings = site.node.settings
        auth = settings.auth.model_copy(update={"algorithm": "EdDSA"})
        site.node.context.settings = settings.model_copy(update={"auth": auth})
        assert (await refused(site, "tokens", 501, user="ann"))["code"] == "unsupported"

    story(tmp_path, tell)


def test_a_user_is_sent_away_from_one_device_or_all(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        closed: list[int] = []
        site.node.context.sessions = lambda user: [(7, "phone"), (8, "tab")]
        site.node.delivery.close = lambda caller, code, _: closed.append(caller.conn * 10000 + code)
        assert await asks(site, "disconnect", user="ann", device="tab") == {"disconnected": 1}
        assert await asks(site, "disconnect", user="ann") == {"disconnected": 2}
        assert closed == [84503, 74503, 84503]
        assert await asks(site, "disconnect", user="ann", device="tv") == {"disconnected": 0}
        assert (await refused(site, "disconnect", 400))["field"] == "user"

    story(tmp_path, tell)


def test_the_node_tells_of_itself(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        found = await site.get(None, f"{SERVER}/info")
        assert found["epoch"] == site.node.store.epoch
        assert (found["ready"], found["connections"], found["polls"]) == (False, 0, 0)
        assert found["limits"]["text_bytes"] == 16 * 1024

    story(tmp_path, tell)


def test_no_user_calls_as_a_server(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.refused("ann", "POST", f"{SERVER}/send", 401, json=says("1"))
        await site.refused("ann", "GET", f"{SERVER}/info", 401)

    story(tmp_path, tell)
