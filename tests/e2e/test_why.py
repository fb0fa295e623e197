"""`hivewire why`: the way of one message, to a device that is there and to one that is not."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tests.e2e.receiver import Receiver
from tests.e2e.stranger import Stranger, key
from tests.e2e.test_command_line import hivewire
from tests.e2e.test_push import pushing, register

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]
    Start = Callable[..., Node]


async def why(node: Node, sent: dict[str, Any]) -> dict[str, Any]:
    """What the command tells of a message, as JSON."""
    words = ("why", sent["conv"], str(sent["n"]), "--data", str(node.data))
    done = await asyncio.to_thread(hivewire, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def until(node: Node, sent: dict[str, Any], is_so: Callable[[Any], bool]) -> dict[str, Any]:
    """The same, as soon as something is so."""
    async with asyncio.timeout(20):
        while not is_so(told := await why(node, sent)):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    return told


def of_device(told: dict[str, Any], user: str, device: str) -> dict[str, Any]:
    (one,) = [one for one in told["recipients"] if one["user"] == user]
    (found,) = [found for found in one["devices"] if found["device"] == device]
    return found


async def test_all_steps_of_a_message_to_one_who_is_there_and_one_who_is_away(
    start_node: Start, name: Name
) -> None:
    async with Receiver(503) as receiver:
        node = start_node(env=pushing(receiver))
        ann, bob, cat = name("ann"), name("bob"), name("cat")
        await register(node, cat)
        async with (
            await Stranger.join(node, ann, "web") as sender,
            await Stranger.join(node, bob, "desk") as reader,
        ):
            group = await sender.make_group(bob, cat)
            sent = await sender.send(group["conv"], "hello", key())
            event = await reader.event()
            while event.get("text") != "hello":
                event = await reader.event()
            await reader.call("ack", seq=event["seq"])
            await reader.call("read", conv=sent["conv"], n=sent["n"])
            await receiver.until(2)

            def is_over(told: dict[str, Any]) -> bool:
                pushes = {one["user"]: one["pushes"] for one in told["recipients"]}
                acked = of_device(told, bob, "desk")["acked_at"]
                return bool(acked) and pushes[cat][-1]["step"] == "delivered"

            told = await until(node, sent, is_over)
            await asyncio.to_thread(hivewire, "reload", "--data", str(node.data))
            # Another Python layer: it knows all that this one knew.
            assert await why(node, sent) == told
            words = ("why", sent["conv"], str(sent["n"]), "--data", str(node.data))
            table = await asyncio.to_thread(hivewire, *words)
        assert_in_order(told, bob, cat)
        for word in (
            "synced",
            "answered",
            "acknowledged",
            "push delivered",
            "not connected",
            "HTTP 503",
        ):
            assert word in table.stdout, table.stdout


def assert_in_order(told: dict[str, Any], bob: str, cat: str) -> None:
    steps = {step["step"]: step["at"] for step in told["steps"]}
    assert list(steps) == ["received", "accepted", "written", "synced", "queued"]
    (own,) = told["own_devices"]
    assert (own["device"], own["reached"]["state"]) == ("web", "written")
    desk = of_device(told, bob, "desk")
    assert (desk["connected"], desk["reached"]["state"]) == (True, "written")
    (reader,) = [one for one in told["recipients"] if one["user"] == bob]
    for written in (own["reached"]["at"], desk["reached"]["at"]):
        # Acknowledgements are gathered for a moment before they are durable, reading is not.
        for known in (desk["acked_at"], reader["read_at"]):
            times = [*steps.values(), written, known]
            assert times == sorted(times)

    phone = of_device(told, cat, "phone")
    assert (phone["connected"], phone["reached"]["state"]) == (False, "not_connected")
    assert (phone["acked"], phone["acked_at"]) == (False, None)
    (away,) = [one for one in told["recipients"] if one["user"] == cat]
    pushes = [push for push in away["pushes"] if push["step"] != "waiting"]
    assert [(push["step"], push["detail"]) for push in pushes] == [
        ("held", ""),
        ("due", "webhook"),
        ("sent", "mobile"),
        ("failed", "HTTP 503"),
        ("sent", "mobile"),
        ("delivered", "HTTP 204"),
    ]
    times = [steps["synced"], *(push["at"] for push in pushes)]
    assert times == sorted(times)


async def test_a_device_that_comes_back_gets_it_by_a_page(start_node: Start, name: Name) -> None:
    node = start_node()
    ann, bob = name("ann"), name("bob")
    await (await Stranger.join(node, bob, "phone")).leave()
    async with await Stranger.join(node, ann, "web") as sender:
        sent = await sender.send(f"user:{bob}", "hello", key())
        told = await why(node, sent)
        assert of_device(told, bob, "phone")["reached"]["state"] == "not_connected"
        async with (
            await Stranger.join(node, bob, "phone") as phone,
            await Stranger.join(node, bob, "tablet"),
        ):
            (event,) = await phone.read_all()
            assert event["text"] == "hello"
            told = await until(
                node, sent, lambda told: of_device(told, bob, "phone")["reached"]["state"] == "page"
            )
            queued = told["steps"][-1]["at"]
            assert of_device(told, bob, "phone")["reached"]["at"] > queued
            assert of_device(told, bob, "tablet")["reached"]["state"] == "begins_later"


def test_what_is_not_there_and_a_node_that_does_not_run(start_node: Start) -> None:
    node = start_node()
    done = hivewire("why", "direct:a,b", "1", "--data", str(node.data))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "hivewire: there is no such conversation\n"
    done = hivewire("why", "nonsense", "1", "--data", str(node.data))
    assert done.returncode == 1
    assert "is no conversation and number" in done.stderr
    node.stop()
    done = hivewire("why", "direct:a,b", "1", "--data", str(node.data))
    assert done.returncode == 1
    assert "no node runs" in done.stderr
