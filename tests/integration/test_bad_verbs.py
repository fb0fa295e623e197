"""Bad input to the commands of conversations, presence and groups: each names its field. I9."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.stranger import Stranger, assert_error_shape, company, key
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

    Name = Callable[[str], str]


@pytest.fixture(params=["json", "msgpack"])
def encoding(request: pytest.FixtureRequest) -> str:
    """The encoding that the test's clients agree on."""
    return request.param


GOOD: dict[str, dict[str, Any]] = {
    "conversations": {"limit": 10, "messages": 2},
    "history": {"conv": "GROUP", "after": 0, "limit": 10},
    "open": {"conv": "CHANNEL"},
    "close": {"conv": "CHANNEL"},
    "read": {"conv": "GROUP", "n": 1},
    "typing": {"conv": "GROUP", "state": "start"},
    "edit": {"conv": "GROUP", "n": "N", "key": "KEY", "text": "x"},
    "recall": {"conv": "GROUP", "n": "N", "key": "KEY"},
    "react": {"conv": "GROUP", "n": "N", "key": "KEY", "emoji": "👍", "on": True},
    "group.create": {
        "key": "KEY", "kind": "group", "name": "x", "members": ["bob"], "history": "all",
    },
    "group.add": {"conv": "GROUP", "key": "KEY", "members": ["bob"]},
    "group.remove": {"conv": "GROUP", "key": "KEY", "members": ["bob"]},
    "group.update": {"conv": "GROUP", "key": "KEY", "name": "x"},
    "group.leave": {"conv": "GROUP", "key": "KEY"},
    "group.info": {"conv": "GROUP"},
    "group.members": {"conv": "GROUP", "limit": 10},
    "block": {"user": "bob"},
    "unblock": {"user": "bob"},
    "outcome": {"key": "no-such-key"},
    "watch": {"users": ["bob"]},
    "unwatch": {"users": ["bob"]},
    "status": {"state": "away"},
}  # fmt: skip
"""One good command of each verb; words in capitals are filled in by the test."""

REQUIRED = {
    "history": ["conv"],
    "open": ["conv"],
    "close": ["conv"],
    "read": ["conv", "n"],
    "typing": ["conv", "state"],
    "edit": ["conv", "n", "key", "text"],
    "recall": ["conv", "n", "key"],
    "react": ["conv", "n", "key", "emoji"],
    "group.create": ["key"],
    "group.add": ["conv", "key", "members"],
    "group.remove": ["conv", "key", "members"],
    "group.update": ["conv", "key"],
    "group.leave": ["conv", "key"],
    "group.info": ["conv"],
    "group.members": ["conv"],
    "block": ["user"],
    "unblock": ["user"],
    "outcome": ["key"],
    "watch": ["users"],
    "unwatch": ["users"],
    "status": ["state"],
}

BAD: dict[str, list[Any]] = {
    "conv": [7, "", "nowhere", "planet:mars", "group:", "group:a b", "group:" + "x" * 65,
             "direct:a", "direct:b,a", "channel:a\x00", ["group:a"], "user:bob"],
    "n": [0, -1, 1.5, "1", True, 2**53, [1]],
    "key": [7, "", "1234567", "x" * 65, "12345678\n", "käse-käse"],
    "text": [7, "", ["x"], {"a": 1}],
    "emoji": [7, "", ["👍"], "x" * 16_000],
    "on": ["yes", 1, []],
    "state": ["maybe", 7, "", ["start"]],
    "kind": ["planet", 7, "direct", ""],
    "history": ["some", 7, ""],
    "name": [7, ["x"], "x" * 16_000],
    "members": ["bob", 7, [7], ["a b"], [""], ["x" * 65], {"bob": 1}, [["bob"]]],
    "users": ["bob", 7, [7], ["a b"], [""], ["x" * 65], {"bob": 1}, [["bob"]]],
    "user": [7, "", "a b", "x" * 65, "jürgen", ["bob"]],
    "role": ["king", 7, ""],
    "limit": [0, -1, 1.5, "5", True],
    "before": [-1, 1.5, {"a": 1}, True],
    "after": [-1, 1.5, {"a": 1}, True],
    "messages": [-1, 1.5, "5", True],
}  # fmt: skip
"""Values that no verb takes for a field of this name."""

MORE_FIELDS = {
    "group.create": ["group"],
    "group.update": ["user", "role"],
    "conversations": ["before"],
    "history": ["before"],
    "group.members": ["after"],
}
BAD_HERE: dict[tuple[str, str], list[Any]] = {
    # To have read nothing is no mistake.
    ("read", "n"): BAD["n"][1:],
    ("group.create", "group"): [7, "", "a b", "x" * 65, "group:a\n"],
    ("conversations", "before"): ["no such place", 7, {"a": 1}, "\x00"],
    ("group.members", "after"): [7, {"a": 1}, "a b"],
    ("group.update", "user"): BAD["user"],
    ("group.update", "role"): BAD["role"],
}
PAIRED = {("group.update", "user"): {"role": "admin"}, ("group.update", "role"): {"user": "bob"}}
WRONG = [
    pytest.param(op, field, id=f"{op} {field}")
    for op, fields in GOOD.items()
    for field in [*fields, *MORE_FIELDS.get(op, [])]
]


async def scene(ann: Stranger) -> dict[str, Any]:
    """A group with one message and a channel."""
    group = await ann.make_group()
    channel = await ann.make_group(kind="channel")
    sent = await ann.send(group["conv"], "hi", key())
    return {"GROUP": group["conv"], "CHANNEL": channel["conv"], "N": sent["n"]}


def filled(op: str, words: dict[str, Any]) -> dict[str, Any]:
    words = words | {"KEY": key()}
    return {
        field: words.get(value, value) if isinstance(value, str) else value
        for field, value in GOOD[op].items()
    }


@pytest.mark.parametrize(("op", "field"), WRONG)
async def test_i9_a_bad_value_is_told_with_its_field(
    node: Node, name: Name, encoding: str, op: str, field: str
) -> None:
    async with company(node, name, "ann ann/desk", encoding) as (ann, desk):
        words = await scene(ann)
        heads = [(await ann.call("ping"))["head"]]
        values = BAD_HERE.get((op, field)) or BAD[field]
        for begin in range(0, len(values), 8):
            # Ten mistakes in a minute would close the line.
            async with await Stranger.join(node, ann.user, "tab", encoding=encoding) as line:
                for value in values[begin : begin + 8]:
                    wrong = PAIRED.get((op, field), {}) | {field: value}
                    if op == "history" and field == "before":
                        wrong["after"] = None
                    error = await line.refused(op, **(filled(op, words) | wrong))
                    assert error["code"] in ("bad_request", "too_large"), (value, error)
                    assert error["field"] == field, (value, error)
                    assert error["retryable"] is False
        heads.append((await desk.call("ping"))["head"])
        assert heads[0] == heads[1], "nothing was done"


@pytest.mark.parametrize("op", REQUIRED)
@pytest.mark.parametrize("how", ["missing", "null"])
async def test_i9_what_a_command_needs(
    node: Node, name: Name, encoding: str, op: str, how: str
) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        words = await scene(ann)
        for field in REQUIRED[op]:
            command = filled(op, words)
            del command[field]
            if how == "null":
                command[field] = None
            error = await ann.refused(op, **command)
            assert (error["code"], error["field"]) == ("bad_request", field)


@pytest.mark.parametrize("op", [op for op in GOOD if op not in ("read", "typing")])
async def test_i9_a_command_without_an_id_is_told(
    node: Node, name: Name, encoding: str, op: str
) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        words = await scene(ann)
        ann.tell(op, **filled(op, words))
        error = await ann.push("error")
        assert_error_shape(error)
        assert (error["code"], error["field"], error["for"]) == ("bad_request", "id", op)


@pytest.mark.parametrize("op", ["read", "typing"])
async def test_i9_errors_of_commands_without_an_id(
    node: Node, name: Name, encoding: str, op: str
) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        words = await scene(ann)
        ann.tell(op, **(filled(op, words) | {"conv": "group:nowhere"}))
        error = await ann.push("error")
        assert_error_shape(error)
        assert (error["code"], error["for"]) == ("forbidden", op)


@pytest.mark.parametrize("op", GOOD)
async def test_unknown_fields_and_nulls_are_ignored(
    node: Node, name: Name, encoding: str, op: str
) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        words = await scene(ann)
        extra = {"colour": "red", "deep": [{"a": [1, None]}], "nothing": None}
        answer = await ann.ask(op, **(filled(op, words) | extra))
        if op == "outcome":
            assert answer["code"] == "not_found"
        else:
            assert answer["op"] != "error", answer


# -- sizes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["group.create", "group.add", "group.remove", "watch", "unwatch"])
async def test_i8_more_than_500_ids_are_too_many(
    node: Node, name: Name, encoding: str, op: str
) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        words = await scene(ann)
        field = "users" if op.endswith("watch") else "members"
        ids = [f"u{at}" for at in range(501)]
        if op == "unwatch":
            await ann.ask(op, users=ids)
            assert (await ann.call("ping"))["op"] == "pong"
            return
        error = await ann.refused(op, **(filled(op, words) | {field: ids}))
        assert error["code"] in ("too_large", "bad_request")
        assert error["field"] == field


async def test_i8_an_edit_is_held_to_the_size_of_a_text(
    node: Node, name: Name, encoding: str
) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        words = await scene(ann)
        for text in ("x" * 16_385, "é" * 8193):
            error = await ann.refused("edit", **(filled("edit", words) | {"text": text}))
            assert (error["code"], error["field"]) == ("too_large", "text")
        await ann.call("edit", **(filled("edit", words) | {"text": "é" * 8192}))
        assert (await ann.item(words["GROUP"], words["N"]))["text"] == "é" * 8192


@pytest.mark.parametrize(
    ("op", "limit", "most"), [("conversations", 100, 100), ("history", 200, 200)]
)
async def test_i8_listings_keep_to_their_limit(
    node: Node, name: Name, op: str, limit: int, most: int
) -> None:
    """More than allowed is clamped or refused, never granted."""
    async with company(node, name, "ann") as (ann,):
        words = await scene(ann)
        targets = [f"user:{name(f'u{at}')}" for at in range(110)] + [words["GROUP"]] * 210
        for begin in range(0, len(targets), 30):
            some = targets[begin : begin + 30]
            await asyncio.gather(*(ann.ask("send", to=to, key=key(), text="x") for to in some))
        fields = {"conv": words["GROUP"], "after": 0} if op == "history" else {}
        assert len((await ann.call(op, limit=limit, **fields))["items"]) == most
        answer = await ann.ask(op, limit=limit + 1, **fields)
        if answer["op"] == "error":
            assert (answer["code"], answer["field"]) == ("bad_request", "limit")
        else:
            assert len(answer["items"]) <= most


async def test_i8_messages_of_a_conversation_keep_to_20(node: Node, name: Name) -> None:
    async with company(node, name, "ann bob") as (ann, bob):
        asked = [ann.ask("send", to=f"user:{bob.user}", key=key(), text="x") for _ in range(30)]
        await asyncio.gather(*asked)
        (item,) = await bob.conversations(messages=20)
        assert len(item["last"]) == 20
        answer = await bob.ask("conversations", messages=21)
        if answer["op"] == "error":
            assert (answer["code"], answer["field"]) == ("bad_request", "messages")
        else:
            assert len(answer["items"][0]["last"]) == 20


RECENT = [
    7, "x", [], {"conversations": -1}, {"conversations": "5"}, {"messages": 1.5},
    {"conversations": {}, "messages": []}, {"messages": True},
]  # fmt: skip


@pytest.mark.parametrize("recent", RECENT, ids=str)
async def test_i9_a_wrong_recent_is_told(node: Node, name: Name, recent: Any) -> None:
    async with await Stranger.dial(node) as ann:
        error = await ann.refused(
            "connect", token=token(name("ann")), device="phone", recent=recent
        )
        assert error["code"] == "bad_request"


# -- senseless, but well-formed ---------------------------------------------------------------


async def test_an_update_says_what_to_change(node: Node, name: Name) -> None:
    async with company(node, name, "ann") as (ann,):
        words = await scene(ann)
        for fields in ({}, {"user": ann.user}, {"role": "admin"}):
            error = await ann.refused("group.update", conv=words["GROUP"], key=key(), **fields)
            assert error["code"] == "bad_request"


async def test_the_same_member_named_twice_is_one(node: Node, name: Name, encoding: str) -> None:
    async with company(node, name, "ann", encoding) as (ann,):
        bob = name("bob")
        group = await ann.make_group(bob, bob, ann.user)
        assert group["count"] == 2
        assert sorted(member["user"] for member in group["members"]) == sorted((ann.user, bob))
        grown = await ann.call("group.add", conv=group["conv"], key=key(), members=["x", "x"])
        assert grown["count"] == 3
        shrunk = await ann.call("group.remove", conv=group["conv"], key=key(), members=["x", "x"])
        assert shrunk["count"] == 2


async def test_removing_who_is_not_there_changes_nothing(node: Node, name: Name) -> None:
    async with company(node, name, "ann") as (ann,):
        group = await ann.make_group(name("bob"))
        answer = await ann.ask(
            "group.remove", conv=group["conv"], key=key(), members=[name("nobody")]
        )
        assert answer["op"] in ("group", "error")
        info = await ann.call("group.info", conv=group["conv"])
        assert (info["count"], info["head"]) == (2, group["head"])
