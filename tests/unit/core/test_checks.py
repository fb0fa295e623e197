from __future__ import annotations

import pytest

from hivewire.core import commands as c
from hivewire.core.checks import check
from hivewire.core.commands import CommandError
from hivewire.core.limits import EMOJI_BYTES, MEMBERS_A_COMMAND, NAME_BYTES, TEXT_BYTES

KEY, CONV = "key-0001", "group:g"
LONGEST = "x" * 64


def error(command: c.Command) -> tuple[str, str | None] | None:
    """Code and field of what is wrong; None if nothing is."""
    found = check(command)
    if isinstance(found, CommandError):
        assert (found.id, found.op) == (command.id, command.__struct_config__.tag)
        return found.code, found.field
    assert found is command
    return None


GOOD: list[c.Command] = [
    c.Edit(1, f"direct:{LONGEST},{LONGEST}", 1, LONGEST, "x" * TEXT_BYTES),
    c.Recall(1, f"channel:{LONGEST}", 1, "12345678"),
    c.React(1, CONV, 1, KEY, "👩🏽‍❤️‍💋‍👨🏿"),
    c.React(1, CONV, 1, KEY, "x" * EMOJI_BYTES),
    c.GroupCreate(1, KEY),
    c.GroupCreate(1, KEY, LONGEST, name="ü" * (NAME_BYTES // 2), members=[LONGEST]),
    c.GroupCreate(1, KEY, members=["u"] * MEMBERS_A_COMMAND),
    c.GroupAdd(1, CONV, KEY, []),
    c.GroupUpdate(1, CONV, KEY, name=""),
    c.GroupMembers(1, CONV),
    c.Block(1, "A-z0.9_~@+=/"),
    c.Ping(),
]
BAD: list[tuple[c.Command, str, str]] = [
    (c.Edit(1, CONV, 1, KEY, ""), "bad_request", "text"),
    (c.Edit(1, CONV, 1, KEY, "x" * (TEXT_BYTES + 1)), "too_large", "text"),
    (c.Edit(1, CONV, 1, "1234567", "hi"), "bad_request", "key"),
    (c.Edit(1, CONV, 1, LONGEST + "x", "hi"), "bad_request", "key"),
    (c.Recall(1, "user:bob", 1, KEY), "bad_request", "conv"),
    (c.Recall(1, "direct:b,a", 1, KEY), "bad_request", "conv"),
    (c.Recall(1, "group:", 1, KEY), "bad_request", "conv"),
    (c.Recall(1, f"group:{LONGEST}x", 1, KEY), "bad_request", "conv"),
    (c.React(1, CONV, 1, KEY, ""), "bad_request", "emoji"),
    (c.React(1, CONV, 1, KEY, "a\0b"), "bad_request", "emoji"),
    (c.React(1, CONV, 1, KEY, "x" * (EMOJI_BYTES + 1)), "too_large", "emoji"),
    (c.GroupCreate(1, KEY, "a:b"), "bad_request", "group"),
    (c.GroupCreate(1, KEY, name="a\nb"), "bad_request", "name"),
    (c.GroupCreate(1, KEY, name="ü" * NAME_BYTES), "too_large", "name"),
    (c.GroupCreate(1, KEY, members=["bob", "b b"]), "bad_request", "members"),
    (c.GroupCreate(1, KEY, members=["u"] * (MEMBERS_A_COMMAND + 1)), "too_large", "members"),
    (c.GroupAdd(1, CONV, KEY, [""]), "bad_request", "members"),
    (c.GroupRemove(1, CONV, KEY, ["ü"]), "bad_request", "members"),
    (c.GroupUpdate(1, CONV, KEY, user="b,b"), "bad_request", "user"),
    (c.GroupLeave(1, "everybody", KEY), "bad_request", "conv"),
    (c.GroupMembers(1, CONV, after="a b"), "bad_request", "after"),
    (c.HistoryQuery(1, "x"), "bad_request", "conv"),
    (c.Read("x", 1), "bad_request", "conv"),
    (c.Typing("x", "start"), "bad_request", "conv"),
    (c.Open(1, "channel:a b"), "bad_request", "conv"),
    (c.Close(1, "channel:a b"), "bad_request", "conv"),
    (c.Block(1, "user:bob"), "bad_request", "user"),
    (c.Unblock(1, ""), "bad_request", "user"),
    (c.Outcome(1, "short"), "bad_request", "key"),
    (c.Watch(1, ["a", ""]), "bad_request", "users"),
    (c.Connect(1, device="a b"), "bad_request", "device"),
    (c.Send(1, "user:b", KEY), "bad_request", "text"),
    (c.Send(1, "user:b", "short", "hi"), "bad_request", "key"),
    (c.Send(1, "user:b", KEY, "ü" * TEXT_BYTES), "too_large", "text"),
    (c.Send(1, "user:b", KEY, "hi", media=["a b"]), "bad_request", "media"),
    (c.Send(1, "user:b", KEY, "hi", mentions=[""]), "bad_request", "mentions"),
    (c.Send(1, "user:b", KEY, data={"x": "y" * 16 * 1024}), "too_large", "data"),
]


@pytest.mark.parametrize("command", GOOD, ids=repr)
def test_what_is_good_passes_as_it_is(command: c.Command) -> None:
    assert error(command) is None


@pytest.mark.parametrize(("command", "code", "field"), BAD)
def test_what_is_wrong_is_named(command: c.Command, code: str, field: str) -> None:
    assert error(command) == (code, field)


def test_what_was_left_out_is_not_checked() -> None:
    assert error(c.GroupUpdate(1, CONV, KEY)) is None
