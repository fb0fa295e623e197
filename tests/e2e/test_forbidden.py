"""A conversation that one is not in and one that does not exist answer the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, company, key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]

VERBS: dict[str, dict[str, Any]] = {
    "history": {"after": 0},
    "open": {},
    "close": {},
    "read": {"n": 1},
    "typing": {"state": "start"},
    "edit": {"n": 1, "text": "x"},
    "recall": {"n": 1},
    "react": {"n": 1, "emoji": "👍", "on": True},
    "group.add": {"members": ["someone"]},
    "group.remove": {"members": ["someone"]},
    "group.update": {"name": "x"},
    "group.leave": {},
    "group.info": {},
    "group.members": {},
}
KEYED = {"edit", "recall", "react", "group.add", "group.remove", "group.update", "group.leave"}


async def refusal(line: Stranger, op: str, conv: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The error without its id, and with the name of the conversation taken out."""
    if op in KEYED:
        fields = {"key": key()} | fields
    error = await line.refused(op, conv=conv, **fields)
    error.pop("id")
    return error | {"message": error["message"].replace(conv, "CONV")}


@pytest.mark.parametrize(
    ("kind", "op"),
    [
        (kind, op)
        for kind in ("group", "channel")
        for op in VERBS
        if kind == "channel" or op not in ("open", "close")
    ],
)
async def test_m2_m3_i9_outside_and_nowhere_are_the_same(
    node: Node, name: Name, encoding: str, kind: str, op: str
) -> None:
    async with company(node, name, "ann eve", encoding) as (ann, eve):
        group = await ann.make_group(kind=kind)
        await ann.send(group["conv"], "secret", key())
        outside = await refusal(eve, op, group["conv"], VERBS[op])
        nowhere = await refusal(eve, op, f"{kind}:{name('nowhere')}", VERBS[op])
        assert outside == nowhere
        assert outside["code"] == "forbidden"
        assert outside["retryable"] is False
        assert (await ann.call("group.info", conv=group["conv"]))["head"] == group["head"] + 1


@pytest.mark.parametrize("kind", ["group", "channel"])
async def test_m2_m3_i9_sending_outside_and_nowhere_are_the_same(
    node: Node, name: Name, encoding: str, kind: str
) -> None:
    async with company(node, name, "ann eve", encoding) as (ann, eve):
        group = await ann.make_group(kind=kind)
        errors = []
        for to in (group["conv"], f"{kind}:{name('nowhere')}"):
            error = await eve.refused("send", to=to, key=key(), text="x")
            error.pop("id")
            errors.append(error | {"message": error["message"].replace(to, "CONV")})
        assert errors[0] == errors[1]
        assert (errors[0]["code"], errors[0]["field"]) == ("forbidden", "to")


@pytest.mark.parametrize("op", ["history", "read", "typing", "edit", "recall", "react"])
async def test_m1_i9_a_direct_chat_of_others_is_forbidden(
    node: Node, name: Name, encoding: str, op: str
) -> None:
    async with company(node, name, "ann bob eve", encoding) as (ann, bob, eve):
        sent = await ann.send(f"user:{bob.user}", "secret", key())
        there = await refusal(eve, op, sent["conv"], VERBS[op])
        nowhere = await refusal(eve, op, f"direct:{name('x')},{name('y')}", VERBS[op])
        assert there == nowhere
        assert there["code"] == "forbidden"
        assert not ann.pushed("typing")
        assert not ann.pushed("receipt", user=eve.user)


@pytest.mark.parametrize("op", [op for op in VERBS if op.startswith("group.")])
async def test_m2_i9_direct_chats_are_no_groups(node: Node, name: Name, op: str) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        sent = await ann.send(f"user:{bob.user}", "x", key())
        error = await refusal(ann, op, sent["conv"], VERBS[op])
        assert error["code"] in ("bad_request", "forbidden")
        assert error["field"] == "conv"
        assert (await ann.call("ping"))["head"] == 1
