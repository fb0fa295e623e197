"""Connecting:

who one is, where one stands, what the node grants. Protocol sections 1, 3, 5 and 8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.rfc6455 import TEXT, Line, Refused
from tests.e2e.stranger import Stranger, assert_error_shape, key, now_ms
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

CONNECTED = {
    "op", "id", "user", "device", "new_device", "reset", "session", "epoch", "head", "cursor",
    "trimmed_before", "heartbeat", "limits", "server_time", "token_expires", "ticket", "node",
}  # fmt: skip
LIMITS = {
    "message_bytes": 65536,
    "message_objects": 64,
    "server_message_bytes": 524288,
    "text_bytes": 16384,
    "data_bytes": 16384,
    "page_events": 500,
    "sends_in_flight": 32,
    "sends_per_second": 0,
    "devices": 10,
}


async def test_connected_says_all_that_a_client_needs(
    node: Node, name: Name, encoding: str
) -> None:
    async with await Stranger.dial(node, encoding=encoding) as ann:
        ttl = 1000
        told = await ann.connect(id=7, token=token(name("ann"), ttl=ttl), device="phone")
    assert set(told) >= CONNECTED
    assert list(told)[:2] == ["op", "id"]
    assert told["id"] == 7
    assert (told["user"], told["device"]) == (name("ann"), "phone")
    assert (told["new_device"], told["reset"]) == (True, False)
    assert (told["head"], told["cursor"], told["trimmed_before"]) == (0, 0, 1)
    assert told["heartbeat"] == {"interval_ms": 25000, "timeout_ms": 10000, "from": "server"}
    assert told["limits"].items() >= LIMITS.items()
    assert abs(told["server_time"] - now_ms()) < 5000
    assert abs(told["token_expires"] - (now_ms() + ttl * 1000)) < 5000
    for text in ("session", "epoch", "ticket", "node"):
        assert told[text]
        assert isinstance(told[text], str)
    assert "page" not in told


async def test_sessions_differ_and_the_epoch_stays(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as one:
        pass
    async with await Stranger.join(node, name("ann")) as other:
        pass
    assert one.connected["session"] != other.connected["session"]
    assert one.connected["epoch"] == other.connected["epoch"]


# -- the token travels in one of three ways -------------------------------------------------------


async def test_token_in_the_authorization_header(node: Node, name: Name) -> None:
    async with await Stranger.dial(node, bearer=token(name("ann"))) as ann:
        assert (await ann.connect(device="phone"))["user"] == name("ann")


async def test_token_as_a_subprotocol_item_is_never_echoed(node: Node, name: Name) -> None:
    offer = [f"hivewire.bearer.{token(name('ann'))}", "hivewire.v1.json"]
    async with await Stranger.dial(node, offer=offer) as ann:
        assert ann.line.headers["sec-websocket-protocol"] == "hivewire.v1.json"
        assert (await ann.connect(device="phone"))["user"] == name("ann")


async def test_a_bearer_item_alone_is_no_offer(node: Node, name: Name) -> None:
    async with await Stranger.dial(node, offer=[f"hivewire.bearer.{token(name('ann'))}"]) as ann:
        assert "sec-websocket-protocol" not in ann.line.headers
        assert (await ann.connect(device="phone"))["user"] == name("ann")


async def test_the_first_token_found_wins(node: Node, name: Name) -> None:
    header, item, field = (token(name(who)) for who in ("header", "item", "field"))
    offer = [f"hivewire.bearer.{item}", "hivewire.v1.json"]
    async with await Stranger.dial(node, bearer=header, offer=offer) as ann:
        assert (await ann.connect(device="d", token=field))["user"] == name("header")
    async with await Stranger.dial(node, offer=offer) as ann:
        assert (await ann.connect(device="d", token=field))["user"] == name("item")


async def test_a_bad_token_does_not_refuse_the_upgrade_but_the_connect(node: Node) -> None:
    ann = await Stranger.dial(node, bearer="nonsense")
    ann.tell("connect", id=1, device="phone")
    await ann.expect_closed(4500)


# -- subprotocols -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offer", "echoed"),
    [
        ([], None),
        (["hivewire.v1.json"], "hivewire.v1.json"),
        (["hivewire.v1.msgpack"], "hivewire.v1.msgpack"),
        (["graphql", "hivewire.v1.msgpack", "hivewire.v1.json"], "hivewire.v1.msgpack"),
        (["hivewire.v1.json", "hivewire.v1.msgpack"], "hivewire.v1.json"),
    ],
)
async def test_the_first_known_subprotocol_is_echoed(
    node: Node, offer: list[str], echoed: str | None
) -> None:
    ann = await Stranger.dial(node, offer=offer)
    assert ann.line.headers.get("sec-websocket-protocol") == echoed
    ann.cut()


async def test_no_offer_means_json(node: Node, name: Name) -> None:
    async with await Stranger.dial(node, offer=[]) as ann:
        assert (await ann.connect(token=token(name("ann")), device="d"))["op"] == "connected"


async def test_only_unknown_subprotocols_are_refused(node: Node) -> None:
    with pytest.raises(Refused) as refused:
        await Stranger.dial(node, offer=["graphql", "hivewire.v2.json"])
    assert refused.value.status == 400


# -- where one stands -------------------------------------------------------------------------


async def test_a_new_device_starts_at_the_head(node: Node, name: Name, encoding: str) -> None:
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        await ann.send(f"user:{name('ann')}", "a note", key())
    async with await Stranger.join(node, name("ann"), "desk", encoding=encoding) as desk:
        told = desk.connected
    assert (told["new_device"], told["head"], told["cursor"]) == (True, 1, 1)


async def test_a_known_device_starts_at_its_stored_cursor(node: Node, name: Name) -> None:
    ann = await Stranger.join(node, name("ann"))
    for _ in range(3):
        await ann.send(f"user:{name('ann')}", "a note", key())
    await ann.call("ack", seq=2)
    await ann.leave()
    async with await Stranger.join(node, name("ann")) as again:
        told = again.connected
    assert (told["new_device"], told["head"], told["cursor"]) == (False, 3, 2)


async def test_the_given_cursor_counts_backwards_too(node: Node, name: Name) -> None:
    ann = await Stranger.join(node, name("ann"))
    for _ in range(3):
        await ann.send(f"user:{name('ann')}", "a note", key())
    await ann.call("ack", seq=3)
    await ann.leave()
    async with await Stranger.join(node, name("ann"), cursor=1) as back:
        assert back.connected["cursor"] == 1
        assert back.connected["reset"] is False
    async with await Stranger.join(node, name("ann")) as stored:
        assert stored.connected["cursor"] == 1


async def test_a_new_device_with_a_cursor_starts_there(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        await ann.send(f"user:{name('ann')}", "a note", key())
    async with await Stranger.join(node, name("ann"), "desk", cursor=0) as desk:
        assert (desk.connected["new_device"], desk.connected["cursor"]) == (True, 0)


async def test_a_cursor_above_the_head_is_a_reset(node: Node, name: Name, encoding: str) -> None:
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        await ann.send(f"user:{name('ann')}", "a note", key())
    async with await Stranger.join(node, name("ann"), cursor=5, encoding=encoding) as again:
        told = again.connected
    assert (told["reset"], told["cursor"], told["head"]) == (True, 0, 1)


async def test_another_epoch_is_a_reset(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        await ann.send(f"user:{name('ann')}", "a note", key())
        epoch = ann.connected["epoch"]
    async with await Stranger.join(node, name("ann"), cursor=1, epoch="another") as again:
        told = again.connected
        assert (told["reset"], told["cursor"], told["epoch"]) == (True, 0, epoch)
    async with await Stranger.join(node, name("ann"), cursor=1, epoch=epoch) as same:
        assert (same.connected["reset"], same.connected["cursor"]) == (False, 1)


async def test_connect_with_sync_carries_the_first_page(
    node: Node, name: Name, encoding: str
) -> None:
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        for number in range(5):
            await ann.send(f"user:{name('ann')}", f"note {number}", key())
    async with await Stranger.join(node, name("ann"), cursor=1, sync=2, encoding=encoding) as again:
        page = again.connected["page"]
        assert [event["seq"] for event in page["events"]] == [2, 3]
        fields = ("next", "head", "done", "trimmed_before")
        assert tuple(page[field] for field in fields) == (3, 5, False, 1)


async def test_devices_of_a_user_keep_cursors_of_their_own(node: Node, name: Name) -> None:
    phone = await Stranger.join(node, name("ann"), "phone")
    desk = await Stranger.join(node, name("ann"), "desk")
    await phone.send(f"user:{name('ann')}", "a note", key())
    await phone.call("ack", seq=1)
    await phone.leave()
    await desk.leave()
    async with await Stranger.join(node, name("ann"), "desk") as desk:
        assert desk.connected["cursor"] == 0
    async with await Stranger.join(node, name("ann"), "phone") as phone:
        assert phone.connected["cursor"] == 1


# -- the ticket -------------------------------------------------------------------------------


async def test_a_ticket_stands_in_for_the_token(node: Node, name: Name, encoding: str) -> None:
    async with await Stranger.join(node, name("ann"), encoding=encoding) as ann:
        ticket, expires = ann.connected["ticket"], ann.connected["token_expires"]
    async with await Stranger.dial(node, encoding=encoding) as again:
        told = await again.connect(ticket=ticket, device="phone")
    assert (told["user"], told["new_device"]) == (name("ann"), False)
    assert told["token_expires"] == expires
    assert told["ticket"]


@pytest.mark.parametrize("spoil", ["foreign device", "changed", "nonsense", "empty"])
async def test_a_stale_or_foreign_ticket_is_4002(node: Node, name: Name, spoil: str) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        ticket = ann.connected["ticket"]
    flipped = ticket[:-2] + ("A" if ticket[-2] != "A" else "B") + ticket[-1]
    tickets = {"foreign device": ticket, "changed": flipped, "nonsense": "nonsense", "empty": ""}
    thief = await Stranger.dial(node)
    device = "desk" if spoil == "foreign device" else "phone"
    thief.tell("connect", id=1, ticket=tickets[spoil], device=device)
    await thief.expect_closed(4002)


# -- what is wrong with a connect -------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "device"),
        ({"device": ""}, "device"),
        ({"device": "a b"}, "device"),
        ({"device": "d" * 65}, "device"),
        ({"device": 7}, "device"),
        ({"device": "d", "cursor": -1}, "cursor"),
        ({"device": "d", "cursor": "1"}, "cursor"),
        ({"device": "d", "cursor": 1.5}, "cursor"),
        ({"device": "d", "sync": -1}, "sync"),
        ({"device": "d", "epoch": 7}, "epoch"),
        ({"device": "d", "heartbeat": "often"}, "heartbeat"),
    ],
)
async def test_a_wrong_connect_is_told_by_its_field(
    node: Node, name: Name, fields: dict[str, object], field: str
) -> None:
    async with await Stranger.dial(node) as ann:
        error = await ann.refused("connect", token=token(name("ann")), **fields)
        assert (error["code"], error["field"]) == ("bad_request", field)
        # The connection stays, and a good connect on it is taken.
        assert (await ann.connect(token=token(name("ann")), device="d"))["op"] == "connected"


@pytest.mark.parametrize("op", ["send", "sync", "ack", "refresh", "heartbeat"])
async def test_connect_comes_first(node: Node, op: str) -> None:
    async with await Stranger.dial(node) as ann:
        fields = {"to": "user:bob", "key": key(), "text": "hi", "after": 0, "seq": 0, "token": "x"}
        error = await ann.refused(op, **fields)
        assert error["code"] == "unauthorized"


async def test_a_second_connect_on_a_line_is_a_bad_request(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        error = await ann.refused("connect", token=token(name("ann")), device="phone")
        assert error["code"] == "bad_request"
        assert (await ann.call("ping"))["op"] == "pong"


async def test_every_path_but_one_is_404(node: Node) -> None:
    for path in ("/", "/v1", "/v1/ws/", "/v2/ws", "/v1/wss"):
        with pytest.raises(Refused) as refused:
            await Line.open(node.edge, path=path)
        assert refused.value.status == 404


async def test_a_query_in_the_url_is_no_token(node: Node, name: Name) -> None:
    """The token is never in the URL: what is behind the `?` is not looked at."""
    line = await Line.open(node.edge, path=f"/v1/ws?token={token(name('ann'))}")
    line.send(TEXT, b'{"op":"connect","id":1,"device":"phone"}')
    await line.expect_close(4500)


async def test_the_error_of_a_nameless_command_says_for(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        ann.tell("send", to="user:bob", key=key(), text="hi")
        error = await ann.push("error")
        assert_error_shape(error)
        assert (error["for"], error["code"], error["field"]) == ("send", "bad_request", "id")
        assert "id" not in error
        assert re.search(r"\bid\b", error["message"])


async def test_a_token_may_live_for_a_thousand_years(node: Node, name: Name) -> None:
    async with await Stranger.dial(node) as ann:
        endless = token(name("ann"), ttl=1000 * 365 * 24 * 3600)
        told = await ann.connect(token=endless, device="phone")
        assert told["token_expires"] > told["server_time"]
        assert (await ann.call("refresh", token=endless))["op"] == "ok"
        assert (await ann.send(f"user:{name('ann')}", "x", key()))["n"] == 1
