"""Who is there: online, away, offline, last seen, and no storms. Protocol section 7. Row C3."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, company, now_ms
from tests.node import Node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Name = Callable[[str], str]

LINGER = 1.0
LATEST = LINGER * 1.25 + 2.0
"""Seconds until `offline` must have been told: linger, jitter, a batch, a busy machine."""
LINGERING = {"HIVEWIRE_PRESENCE__LINGER": "1s"}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that calls a user offline after a second."""
    node = Node(tmp_path_factory.mktemp("presence") / "data", env=LINGERING).start()
    yield node
    node.stop()
    node.assert_calm()


async def watch(line: Stranger, *users: str) -> dict[str, dict[str, Any]]:
    """`watch`, and what it says of each user."""
    answer = await line.call("watch", users=list(users))
    assert answer["op"] == "presence"
    told = {change["user"]: change for change in answer["changes"]}
    assert set(told) == set(users)
    return told


def told(line: Stranger, user: str) -> list[str]:
    """The states of a user that were pushed so far, in order."""
    pushes = line.pushed("presence")
    return [c["state"] for push in pushes for c in push["changes"] if c["user"] == user]


async def becomes(line: Stranger, user: str, state: str, patience: float = LATEST) -> None:
    """Wait until the newest push about this user says so."""
    await line.until(lambda: told(line, user)[-1:] == [state], patience)


async def test_c3_watch_answers_with_each_ones_state(
    quick: Node, name: Name, encoding: str
) -> None:
    async with company(quick, name, "ann bob cat", encoding) as (ann, bob, cat):
        await cat.call("status", state="away")
        states = await watch(ann, bob.user, cat.user, name("nobody"), ann.user)
        assert {user: change["state"] for user, change in states.items()} == {
            bob.user: "online", cat.user: "away", name("nobody"): "offline", ann.user: "online",
        }  # fmt: skip
        assert states[name("nobody")].get("last_seen") is None


async def test_c3_going_and_coming_is_told_after_the_linger(
    quick: Node, name: Name, encoding: str
) -> None:
    async with company(quick, name, "ann", encoding) as (ann,):
        bob = await Stranger.join(quick, name("bob"), encoding=encoding)
        await watch(ann, bob.user)
        left = time.monotonic()
        left_ms = now_ms()
        await bob.leave()
        await becomes(ann, bob.user, "offline")
        assert time.monotonic() - left >= LINGER * 0.95
        change = ann.pushed("presence")[-1]["changes"][-1]
        assert abs(change["last_seen"] - left_ms) < 1000 * (LINGER + 1)
        assert told(ann, bob.user) == ["offline"]
        async with await Stranger.join(quick, name("bob")):
            await becomes(ann, bob.user, "online")
        assert told(ann, bob.user) == ["offline", "online"]


async def test_c3_the_last_device_counts(quick: Node, name: Name) -> None:
    async with company(quick, name, "ann bob bob/desk") as (ann, bob, desk):
        await watch(ann, bob.user)
        await bob.leave()
        await asyncio.sleep(LATEST - 1)
        assert told(ann, bob.user) == []
        await desk.leave()
        await becomes(ann, bob.user, "offline")


async def test_c3_a_flapping_device_makes_no_change(quick: Node, name: Name) -> None:
    async with company(quick, name, "ann") as (ann,):
        await (await Stranger.join(quick, name("bob"))).leave()
        assert (await watch(ann, name("bob")))[name("bob")]["state"] == "online"
        for _ in range(12):
            line = await Stranger.join(quick, name("bob"))
            await asyncio.sleep(0.1)
            line.cut()
            await asyncio.sleep(0.1)
        async with await Stranger.join(quick, name("bob")):
            await asyncio.sleep(LATEST - 1)
        assert told(ann, name("bob")) == []


async def test_c3_away_and_back(quick: Node, name: Name, encoding: str) -> None:
    async with company(quick, name, "ann bob", encoding) as (ann, bob):
        await watch(ann, bob.user)
        for state in ("away", "online"):
            assert (await bob.call("status", state=state))["op"] == "ok"
            await becomes(ann, bob.user, state)


async def test_c3_the_most_present_device_shows(quick: Node, name: Name) -> None:
    async with company(quick, name, "ann bob bob/desk") as (ann, bob, desk):
        await bob.call("status", state="away")
        assert (await watch(ann, bob.user))[bob.user]["state"] == "online"
        await desk.call("status", state="away")
        await becomes(ann, bob.user, "away")
        await desk.call("status", state="online")
        await becomes(ann, bob.user, "online")
        # The desk goes; what is left is away.
        await desk.leave()
        await becomes(ann, bob.user, "away")


async def test_c3_invisible_on_any_device_hides_the_user(
    quick: Node, name: Name, encoding: str
) -> None:
    async with company(quick, name, "ann cat bob bob/desk", encoding) as (ann, cat, bob, desk):
        await watch(ann, bob.user)
        await desk.call("status", state="invisible")
        await becomes(ann, bob.user, "offline")
        assert (await watch(cat, bob.user))[bob.user]["state"] == "offline"
        await bob.call("status", state="away")
        await bob.call("status", state="online")
        await asyncio.sleep(1.2)
        assert told(ann, bob.user)[-1] == "offline"
        await desk.call("status", state="online")
        await becomes(ann, bob.user, "online")


async def test_c3_status_ends_with_the_connection(quick: Node, name: Name) -> None:
    async with company(quick, name, "ann") as (ann,):
        bob = await Stranger.join(quick, name("bob"))
        await bob.call("status", state="away")
        assert (await watch(ann, bob.user))[bob.user]["state"] == "away"
        await bob.leave()
        async with await Stranger.join(quick, name("bob")):
            await becomes(ann, bob.user, "online")


async def test_c3_unwatch_ends_it_and_so_does_the_connection(quick: Node, name: Name) -> None:
    async with company(quick, name, "ann bob") as (ann, bob):
        await watch(ann, bob.user)
        await ann.call("unwatch", users=[bob.user])
        async with await Stranger.join(quick, ann.user, "desk") as desk:
            await watch(desk, bob.user)
        async with await Stranger.join(quick, ann.user, "desk") as desk:
            await bob.call("status", state="away")
            await asyncio.sleep(1.5)
            assert told(ann, bob.user) == []
            assert told(desk, bob.user) == []


async def test_c3_who_is_blocked_sees_offline(quick: Node, name: Name, encoding: str) -> None:
    async with company(quick, name, "ann bob cat", encoding) as (ann, bob, cat):
        await bob.call("block", user=ann.user)
        assert (await watch(ann, bob.user))[bob.user]["state"] == "offline"
        assert (await watch(cat, bob.user))[bob.user]["state"] == "online"
        await bob.call("status", state="away")
        await becomes(cat, bob.user, "away")
        assert set(told(ann, bob.user)) <= {"offline"}


async def test_c3_500_may_be_watched_and_no_more(quick: Node, name: Name, encoding: str) -> None:
    async with company(quick, name, "ann bob", encoding) as (ann, bob):
        assert ann.connected["limits"]["watch"] == 500
        users = [name(f"u{at}") for at in range(500)]
        states = await watch(ann, *users[:400])
        assert {change["state"] for change in states.values()} == {"offline"}
        await watch(ann, *users[300:])
        error = await ann.refused("watch", users=[bob.user])
        assert error["field"] == "users"
        await ann.call("unwatch", users=users[:100])
        assert (await watch(ann, bob.user))[bob.user]["state"] == "online"


async def test_c3_many_at_once_come_in_batches(quick: Node, name: Name) -> None:
    people = [f"u{at}" for at in range(40)]
    async with company(quick, name, "ann") as (ann,):
        users = [name(person) for person in people]
        await watch(ann, *users)
        async with company(quick, name, " ".join(people)):
            await ann.until(lambda: all(told(ann, user) == ["online"] for user in users), LATEST)
        await ann.until(lambda: all(told(ann, u)[-1:] == ["offline"] for u in users), LATEST + 2)
        assert len(ann.pushed("presence")) <= 30, "80 changes"


async def test_c3_last_seen_survives_a_kill(start_node: Callable[..., Node], name: Name) -> None:
    node = start_node(env=LINGERING)
    async with company(node, name, "ann") as (ann,):
        await (await Stranger.join(node, name("bob"))).leave()
        await watch(ann, name("bob"))
        if (await watch(ann, name("bob")))[name("bob")]["state"] != "offline":
            await becomes(ann, name("bob"), "offline")
        seen = (await watch(ann, name("bob")))[name("bob")]["last_seen"]
        assert abs(seen - now_ms()) < 10_000
        node.kill9()
    await asyncio.to_thread(node.restart)
    async with company(node, name, "ann") as (ann,):
        change = (await watch(ann, name("bob")))[name("bob")]
        assert (change["state"], change["last_seen"]) == ("offline", seen)


async def test_c3_last_seen_survives_a_drain(start_node: Callable[..., Node], name: Name) -> None:
    """Those who were online when the node was stopped were seen then."""
    node = start_node(env=LINGERING | {"HIVEWIRE_DRAIN__SPREAD": "100ms"})
    bob = await Stranger.join(node, name("bob"))
    stopped = now_ms()
    node.terminate()
    await bob.ended()
    assert await asyncio.to_thread(node.wait) == 0
    await asyncio.to_thread(node.restart)
    async with company(node, name, "ann") as (ann,):
        change = (await watch(ann, name("bob")))[name("bob")]
        assert change["state"] == "offline"
        assert abs(change["last_seen"] - stopped) < 5000
