"""O5: push notifications for users who are away (docs/push.md), seen from outside."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from py_vapid import Vapid02

from hivewire.push.signing import is_signed
from tests.e2e.receiver import Browser, Receiver
from tests.e2e.stranger import CommandFailed, Stranger, key
from tests.e2e.test_command_line import hivewire
from tests.e2e.test_hooks import figure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]
    Start = Callable[..., Node]

SECRET = "a-secret-of-webhooks-0123456789-0123456789"
HOLD = "150ms"
DEAD = 'hivewire_pushes_total{kind="webhook",result="dead"'


def pushing(receiver: Receiver, **settings: str) -> dict[str, str]:
    """The environment of a node that pushes to `receiver`, quickly."""
    chosen = {
        "webhooks": f"mobile={receiver.url}/hook",
        "webhook_secret": SECRET,
        "webpush": "true",
        "webpush_contact": "mailto:ops@example.org",
        "webpush_hosts": "127.0.0.1",
        "webpush_private": "true",
        "hold": HOLD,
        "backoff": "20ms",
    } | settings
    return {f"HIVEWIRE_PUSH__{name.upper()}": value for name, value in chosen.items()}


async def say(line: Stranger, to: str, text: str) -> dict[str, Any]:
    return await line.send(f"user:{to}", text, key())


async def register(node: Node, user: str, device: str = "phone", **fields: str) -> None:
    """The device comes, wants pushes, and goes."""
    async with await Stranger.join(node, user, device) as line:
        chosen = fields or {"kind": "webhook", "endpoint": "mobile", "token": f"apns:{user}"}
        assert (await line.call("push.register", **chosen))["op"] == "ok"


async def test_a_webhook_tells_of_a_message_and_is_signed(start_node: Start, name: Name) -> None:
    async with Receiver() as receiver:
        node = start_node(env=pushing(receiver))
        ann, bob = name("ann"), name("bob")
        await register(node, bob)
        async with await Stranger.join(node, ann) as line:
            assert line.connected["push"]["webhooks"] == ["mobile"]
            sent = await say(line, bob, "hello")
        (call,) = await receiver.until(1)
        assert call.path == "/hook"
        assert is_signed(
            call.body, call.headers["hivewire-signature"], SECRET.encode(), int(time.time())
        )
        assert not is_signed(
            call.body + b" ", call.headers["hivewire-signature"], SECRET.encode(), int(time.time())
        )
        told = call.json
        assert told.pop("id")
        assert told == {
            "type": "message",
            "user": bob,
            "device": "phone",
            "token": f"apns:{bob}",
            "conv": sent["conv"],
            "n": 1,
            "seq": 1,
            "from": ann,
            "ts": sent["ts"],
            "text": "hello",
        }


async def test_kill_9_between_message_and_push_loses_no_push(start_node: Start, name: Name) -> None:
    async with Receiver() as receiver:
        node = start_node(env=pushing(receiver, hold="10m"))
        bob = name("bob")
        await register(node, bob)
        line = await Stranger.join(node, name("ann"))
        for text in ("one", "two"):
            await say(line, bob, text)
        node.kill9()
        line.cut()
        assert receiver.calls == []
        node.restart(extra_env=pushing(receiver))
        calls = await receiver.until(2)
        assert [call.json["text"] for call in calls] == ["one", "two"]


async def test_a_failing_receiver_is_tried_again_and_order_is_kept(
    start_node: Start, name: Name
) -> None:
    async with Receiver(500, 503, 500) as receiver:
        node = start_node(env=pushing(receiver))
        bob = name("bob")
        await register(node, bob)
        async with await Stranger.join(node, name("ann")) as line:
            for text in ("one", "two", "three"):
                await say(line, bob, text)
        calls = await receiver.until(6)
        assert [call.json["text"] for call in calls] == ["one"] * 4 + ["two", "three"]
        assert len({call.json["id"] for call in calls}) == 3


async def test_an_ack_makes_a_push_needless_and_a_dead_line_does_not(
    start_node: Start, name: Name
) -> None:
    async with Receiver() as receiver:
        node = start_node(env=pushing(receiver))
        bob = name("bob")
        await register(node, bob)
        async with (
            await Stranger.join(node, bob, "desk") as desk,
            await Stranger.join(node, name("ann")) as ann,
        ):
            for text in ("one", "two"):
                await say(ann, bob, text)
            one, two = await desk.push(), await desk.push()
            assert two["text"] == "two"
            assert (await desk.call("ack", seq=one["seq"]))["op"] == "ok"
            # Connected, so nothing is pushed, whatever is not acknowledged yet.
            await asyncio.sleep(0.5)
            assert receiver.calls == []
            desk.cut()
            (call,) = await receiver.until(1)
            assert call.json["text"] == "two"


async def test_what_is_read_elsewhere_is_taken_back(start_node: Start, name: Name) -> None:
    async with Receiver() as receiver:
        node = start_node(env=pushing(receiver))
        bob = name("bob")
        await register(node, bob, "phone")
        await register(node, bob, "desk")
        async with await Stranger.join(node, name("ann")) as ann:
            sent = await say(ann, bob, "hello")
        calls = await receiver.until(2)
        assert {call.json["device"] for call in calls} == {"phone", "desk"}
        async with await Stranger.join(node, bob, "desk") as desk:
            await desk.call("read", conv=sent["conv"], n=sent["n"])
            clear = (await receiver.until(3))[2].json
            assert clear.pop("id")
            assert clear.pop("token")
            assert clear == {
                "type": "clear",
                "user": bob,
                "device": "phone",
                "conv": sent["conv"],
                "n": 1,
            }


async def test_a_dead_letter_is_seen_and_replayed(start_node: Start, name: Name) -> None:
    async with Receiver(always=500) as receiver:
        node = start_node(env=pushing(receiver, attempts="3"))
        bob = name("bob")
        await register(node, bob)
        async with await Stranger.join(node, name("ann")) as line:
            await say(line, bob, "hello")
        async with asyncio.timeout(20):
            while not figure(node, DEAD):  # noqa: ASYNC110 - it is in another process
                await asyncio.sleep(0.05)
        assert len(receiver.calls) == 3
        node.stop()
        seen = hivewire("push", "dead", "--data", str(node.data))
        assert seen.returncode == 0, seen.stderr
        assert bob in seen.stdout
        assert "HTTP 500" in seen.stdout
        assert hivewire("verify", "--data", str(node.data)).returncode == 0
        again = hivewire("push", "replay", "--data", str(node.data), "--user", bob)
        assert again.returncode == 0, again.stderr
        assert hivewire("push", "dead", "--data", str(node.data)).stdout == ""
        receiver.always = 204
        node.restart()
        calls = await receiver.until(4)
        assert calls[3].json["text"] == "hello"
        assert calls[3].json["id"] == calls[0].json["id"]


async def test_a_reload_goes_on_with_what_is_on_its_way(start_node: Start, name: Name) -> None:
    async with Receiver(always=500) as receiver:
        node = start_node(env=pushing(receiver))
        bob = name("bob")
        await register(node, bob)
        async with await Stranger.join(node, name("ann")) as line:
            await say(line, bob, "before")
            await receiver.until(1)
            done = await asyncio.to_thread(hivewire, "reload", "--data", str(node.data))
            assert done.returncode == 0, done.stderr
            receiver.always = 204
            await say(line, bob, "after")
        async with asyncio.timeout(20):
            while receiver.calls[-1].json["text"] != "after":
                await receiver.until(len(receiver.calls) + 1)
        assert receiver.calls[-2].json["text"] == "before"


async def test_a_browser_gets_what_only_it_can_read(start_node: Start, name: Name) -> None:
    async with Receiver() as service:
        node = start_node(env=pushing(service))
        bob, browser = name("bob"), Browser()
        await register(node, bob, "web", **browser.subscription(f"{service.url}/push/abc"))
        async with await Stranger.join(node, name("ann")) as ann:
            key = ann.connected["push"]["webpush"]
            await say(ann, bob, "h€llo")
            (call,) = await service.until(1)
            assert browser.open(call)["text"] == "h€llo"
            assert b"llo" not in call.body
            authorization = call.headers["authorization"]
            assert f"k={key}" in authorization
            assert Vapid02.verify(authorization)
            # As large as a push may get, in characters that JSON must escape.
            await say(ann, bob, "\x01" * 3000)
            assert browser.open((await service.until(2))[1])["cut"] is True


async def test_a_browser_that_unsubscribed_is_forgotten(start_node: Start, name: Name) -> None:
    async with Receiver(410) as service:
        node = start_node(env=pushing(service))
        bob = name("bob")
        await register(node, bob, "web", **Browser().subscription(f"{service.url}/push/abc"))
        async with await Stranger.join(node, name("ann")) as ann:
            await say(ann, bob, "hello")
            await service.until(1)
            await asyncio.sleep(0.2)
            await say(ann, bob, "anybody?")
            await asyncio.sleep(0.5)
            assert len(service.calls) == 1
        node.stop()
        assert hivewire("verify", "--data", str(node.data)).returncode == 0


async def test_who_unregisters_hears_nothing_more(start_node: Start, name: Name) -> None:
    async with Receiver() as receiver:
        node = start_node(env=pushing(receiver))
        bob = name("bob")
        await register(node, bob)
        async with await Stranger.join(node, bob) as line:
            assert (await line.call("push.unregister"))["op"] == "ok"
        async with await Stranger.join(node, name("ann")) as ann:
            await say(ann, bob, "hello")
            await asyncio.sleep(0.5)
        assert receiver.calls == []


REFUSED: list[tuple[dict[str, str], str, str]] = [
    ({"kind": "pigeon", "endpoint": "mobile"}, "bad_request", "kind"),
    ({"kind": "webhook", "endpoint": "http://127.0.0.1/", "token": "t"}, "forbidden", "endpoint"),
    ({"kind": "webhook", "endpoint": "mobile"}, "bad_request", "token"),
    ({"kind": "webhook", "endpoint": "mobile", "token": "t" * 5000}, "too_large", "token"),
    ({"kind": "webhook", "endpoint": "mobile", "token": "a\nb"}, "bad_request", "token"),
    ({"kind": "webpush", "endpoint": "https://fcm.googleapis.com/x"}, "bad_request", "p256dh"),
]
INSIDE = (
    *("http://fcm.googleapis.com/x", "https://127.0.0.1/x", "https://localhost/x", "file:///etc"),
    *("https://fcm.googleapis.com:8443/x", "https://u:p@fcm.googleapis.com/x", "https://[::1]/"),
    *("https://fcm.googleapis.com.evil.example/x", "https://notify.windows.com/x", "//x", "x"),
)


async def test_what_cannot_be_registered(start_node: Start, name: Name) -> None:
    settings = {
        "HIVEWIRE_PUSH__WEBHOOKS": "mobile=https://push.example.org/",
        "HIVEWIRE_PUSH__WEBHOOK_SECRET": SECRET,
        "HIVEWIRE_PUSH__WEBPUSH": "true",
        "HIVEWIRE_PUSH__WEBPUSH_CONTACT": "mailto:ops@example.org",
        "HIVEWIRE_PUSH__DEVICES": "1",
        "HIVEWIRE_LIMITS__BAD_PER_MINUTE": "1000",
    }
    node = start_node(env=settings)
    async with await Stranger.join(node, name("ann")) as ann:
        for fields, code, field in REFUSED:
            assert await refused(ann, fields) == (code, field)
        for endpoint in INSIDE:
            fields = Browser().subscription(endpoint)
            assert await refused(ann, fields) == ("forbidden", "endpoint"), endpoint
        good = Browser().subscription("https://wns2-by3p.notify.windows.com/w/?token=x")
        bad = good | {"p256dh": good["p256dh"][::-1]}
        assert await refused(ann, bad) == ("bad_request", "p256dh")
        for _ in range(2):
            assert (await ann.call("push.register", **good))["op"] == "ok"
        async with await Stranger.join(node, name("ann"), "desk") as desk:
            assert await refused(desk, good) == ("too_large", None)


async def refused(line: Stranger, fields: dict[str, str]) -> tuple[str, str | None]:
    """Code and field of the error."""
    with pytest.raises(CommandFailed) as failed:
        await line.call("push.register", **fields)
    return failed.value.error["code"], failed.value.error.get("field")


async def test_a_node_that_does_not_push_says_so(node: Node, name: Name) -> None:
    async with await Stranger.join(node, name("ann")) as ann:
        assert "push" not in ann.connected
        with pytest.raises(CommandFailed) as failed:
            await ann.call("push.register", kind="webhook", endpoint="mobile", token="t")
        assert failed.value.error["code"] == "unsupported"
        assert (await ann.call("push.unregister"))["op"] == "ok"
