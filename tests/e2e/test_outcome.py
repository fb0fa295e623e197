"""Did my send get through, and who has it? Row M10."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.e2e.stranger import Stranger, company, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


def has(outcome: dict[str, Any]) -> dict[str, tuple[bool, bool]]:
    """Who has it delivered and read."""
    return {row["user"]: (row["delivered"], row["read"]) for row in outcome["recipients"]}


async def test_m10_the_outcome_of_a_send(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        k = key()
        sent = await ann.send(f"user:{bob.user}", "hi", k)
        outcome = await ann.call("outcome", key=k)
        assert (outcome["op"], outcome["key"]) == ("outcome", k)
        for field in ("conv", "n", "seq", "ts"):
            assert outcome["sent"][field] == sent[field]
        assert has(outcome) == {bob.user: (False, False)}
        bob.tell("ack", seq=1)
        await ann.seen("receipt", user=bob.user, delivered=1)
        assert has(await ann.call("outcome", key=k)) == {bob.user: (True, False)}
        await bob.call("read", conv=sent["conv"], n=1)
        await ann.seen("receipt", user=bob.user, read=1)
        assert has(await ann.call("outcome", key=k)) == {bob.user: (True, True)}


async def test_m10_in_a_group_it_lists_each_recipient(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann bob cat", encoding) as (ann, bob, cat):
        group = await ann.make_group(bob.user, cat.user, name("dan"))
        k = key()
        sent = await ann.send(group["conv"], "hi", k)
        await bob.call("read", conv=group["conv"], n=sent["n"])
        cat.tell("ack", seq=(await cat.seen("event", n=sent["n"]))["seq"])
        await ann.seen("receipt", user=bob.user, read=sent["n"])
        await ann.seen("receipt", user=cat.user, delivered=sent["n"])
        outcome = await ann.call("outcome", key=k)
        assert has(outcome) == {
            bob.user: (True, True), cat.user: (True, False), name("dan"): (False, False),
        }  # fmt: skip


async def test_m10_not_found_means_not_so_far(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann bob", encoding) as (ann, bob):
        k = key()
        assert (await ann.refused("outcome", key=k))["code"] == "not_found"
        await ann.send(f"user:{bob.user}", "hi", k)
        assert (await ann.call("outcome", key=k))["sent"]["n"] == 1
        assert (await bob.refused("outcome", key=k))["code"] == "not_found", "not his key"


async def test_m10_it_waits_for_a_send_under_way(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann ann/desk bob", encoding) as (ann, desk, bob):
        for turn in range(30):
            k = key()
            ids = range(1000 + 10 * turn, 1002 + 10 * turn)
            answers = [ann.expect(number) for number in ids]
            ann.write(
                [
                    {"op": "send", "id": ids[0], "to": f"user:{bob.user}", "key": k, "text": "x"},
                    {"op": "outcome", "id": ids[1], "key": k},
                ]
            )
            sent, outcome = await asyncio.gather(*answers)
            assert (outcome["op"], outcome["sent"]["n"]) == ("outcome", sent["n"])
            assert (await desk.call("outcome", key=k))["sent"]["n"] == sent["n"]


async def test_m10_after_a_crash_it_tells_what_became_of_the_send(
    start_node: Callable[..., Node], name: Name
) -> None:
    """Found or not found, the same key settles it, and it is there once."""
    node = start_node()
    async with company(node, name, "ann bob") as (ann, bob):
        await ann.send(f"user:{bob.user}", "0", key())
        keys = [key() for _ in range(20)]
        asked = [ann.ask("send", to=f"user:{bob.user}", key=k, text=k) for k in keys]
        await bob.event()
        node.kill9()
        answers = await asyncio.gather(*asked, return_exceptions=True)
    await asyncio.to_thread(node.restart)
    async with await Stranger.join(node, name("ann")) as again:
        for k, answer in zip(keys, answers, strict=True):
            told = await again.ask("outcome", key=k)
            resent = await again.send(f"user:{name('bob')}", k, k)
            assert resent["dup"] is (told["op"] == "outcome")
            if isinstance(answer, dict):
                assert told["sent"]["n"] == answer["n"]
        texts = [item["text"] for item in await again.history(resent["conv"])]
        assert sorted(texts) == sorted(["0", *keys])
