from __future__ import annotations

import pytest

from hivewire.store import keys

from .life import Damage, broken, drop

TS = 1_700_000_000_000
G = "group:g"
CAT_IN_G, G_OF_CAT = keys.prefix(G) + b"cat", keys.prefix("cat") + G.encode()


def member(role: int = keys.ROLE_ADMIN, since: int = 12, kind: int = keys.KIND_CHANNEL) -> bytes:
    return keys.member_value(role, since, kind)


DAMAGE: dict[str, Damage] = {
    "a member who does not know": (lambda s: drop(s, "members", G_OF_CAT), "member"),
    "a member whom the group does not know": (lambda s: drop(s, "members", CAT_IN_G), "member"),
    "two roles at once": (
        lambda s: s.columns.members.put(CAT_IN_G, member(keys.ROLE_OWNER)),
        "member",
    ),
    "a role that there is not": (lambda s: s.columns.members.put(CAT_IN_G, member(9)), "member"),
    "a member of another kind": (
        lambda s: s.columns.members.put(CAT_IN_G, member(kind=keys.KIND_GROUP)),
        "member",
    ),
    "a member who came with something else": (
        lambda s: s.columns.members.put(CAT_IN_G, member(since=3)),
        "member",
    ),
    "a member of no conversation": (
        lambda s: s.columns.members.put(keys.prefix("group:x") + b"cat", member()),
        "reference",
    ),
    "in a conversation without events": (
        lambda s: s.columns.members.put(keys.prefix("cat") + b"group:x", member()),
        "reference",
    ),
    "in a direct chat of others": (
        lambda s: s.columns.members.put(
            keys.prefix("cat") + b"direct:ann,bob", keys.member_value(0, 0, keys.KIND_DIRECT)
        ),
        "row",
    ),
    "in a channel that nobody counted": (
        lambda s: drop(s, "marks", keys.prefix("cat")),
        "member",
    ),
    "channels counted wrongly": (
        lambda s: s.columns.marks.put(keys.prefix("cat"), keys.user_value(1, 1)),
        "member",
    ),
    "channels of somebody who is in none": (
        lambda s: s.columns.marks.put(keys.prefix("zoe"), keys.user_value(1, 1)),
        "member",
    ),
    "a mark above the head": (
        lambda s: s.columns.marks.put(
            keys.prefix("direct:ann,bob") + b"ann", keys.mark_value(2, 1)
        ),
        "mark",
    ),
    "read before it was delivered": (
        lambda s: s.columns.marks.put(keys.prefix(G) + b"ann", keys.mark_value(1, 2)),
        "mark",
    ),
    "I6 a cursor above the head": (
        lambda s: s.columns.cursors.put(keys.prefix("bob") + b"phone", keys.cursor_value(99, TS)),
        "cursor",
    ),
    "I6 a cursor of somebody without a timeline": (
        lambda s: s.columns.cursors.put(keys.prefix("zoe") + b"phone", keys.cursor_value(1, TS)),
        "cursor",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_members_marks_and_cursors_is_found(damage: str) -> None:
    assert DAMAGE[damage][1] in broken(DAMAGE[damage])
