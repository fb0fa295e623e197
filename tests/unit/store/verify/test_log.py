from __future__ import annotations

import pytest

from hivewire.store import keys

from .life import Damage, at, broken, change, drop

TS = 1_700_000_000_000
G, DIRECT = "group:g", "direct:ann,bob"


def key_row(op: int, n: int, seq: int, conv: str = DIRECT) -> bytes:
    return keys.key_value(op, bytes(16), n, seq, TS, conv)


DAMAGE: dict[str, Damage] = {
    "I3 a hole in a conversation": (lambda s: drop(s, "messages", at(G, 4)), "n"),
    "a body from elsewhere": (
        lambda s: s.columns.messages.put(at(G, 3), s.columns.messages.rows[at(DIRECT, 1)]),
        "reference",
    ),
    "a forgotten conversation": (
        lambda s: drop(s, "conversations", keys.prefix(DIRECT)),
        "reference",
    ),
    "a forgotten group": (lambda s: drop(s, "conversations", keys.prefix(G)), "reference"),
    "a forgotten membership": (
        lambda s: drop(s, "members", keys.prefix("ann") + DIRECT.encode()),
        "fan-out",
    ),
    "a conversation of another kind": (
        lambda s: s.columns.conversations.put(
            keys.prefix(DIRECT), keys.conversation_value(keys.KIND_GROUP, TS)
        ),
        "member",
    ),
    "a conversation without an event": (
        lambda s: s.columns.conversations.put(
            keys.prefix("group:x"), keys.conversation_value(keys.KIND_GROUP, TS, size=0)
        ),
        "reference",
    ),
    "a wrong size": (
        lambda s: s.columns.conversations.put(
            keys.prefix(G), keys.conversation_value(keys.KIND_CHANNEL, TS, size=5)
        ),
        "member",
    ),
    "I4 a forgotten key": (lambda s: drop(s, "keys", keys.prefix("ann") + b"key-00000002"), "key"),
    "I4 a forgotten key of two events": (
        lambda s: drop(s, "keys", keys.prefix("ann") + b"key-00000001"),
        "key",
    ),
    "I4 a key of nothing": (
        lambda s: s.columns.keys.put(keys.prefix("ann") + b"key-none", key_row(keys.OP_SEND, 9, 9)),
        "key",
    ),
    "I4 a key of another message": (
        lambda s: s.columns.keys.put(
            keys.prefix("ann") + b"key-00000002", key_row(keys.OP_SEND, 4, 1, G)
        ),
        "key",
    ),
    "I4 a key that was used for something else": (
        lambda s: change(
            s,
            "keys",
            keys.prefix("ann") + b"key-00000002",
            bytes((1, keys.OP_SEND)),
            bytes((1, keys.OP_EDIT)),
        ),
        "key",
    ),
    "I4 a key that only claims to have changed nothing": (
        lambda s: s.columns.keys.put(
            keys.prefix("ann") + b"key-none", key_row(keys.OP_REACT, 1, 0)
        ),
        "key",
    ),
    "a recalled message with its body": (
        lambda s: change(s, "messages", at(G, 4), b'"recalled"', b'"text":"hi","recalled"'),
        "state",
    ),
    "a recalled message that came back": (
        lambda s: change(s, "messages", at(G, 4), b'"recalled"', b'"was"'),
        "state",
    ),
    "a message that only its body says is recalled": (
        lambda s: drop(s, "conversations", at(G, 4)),
        "state",
    ),
    "a recalled edit with its text": (
        lambda s: change(s, "messages", at("direct:ann,ann", 2), b'"recalled"', b'"was"'),
        "state",
    ),
    "an edit that was forgotten": (
        lambda s: change(s, "conversations", at(G, 3), b'"edits":[5,6]', b'"edits":[5]'),
        "state",
    ),
    "an edit that is not there": (
        lambda s: change(s, "conversations", at(G, 3), b'"edits":[5,6]', b'"edits":[5,6,7]'),
        "reference",
    ),
    "a text that no edit said": (
        lambda s: change(s, "conversations", at(G, 3), b'"text":"he"', b'"text":"hu"'),
        "state",
    ),
    "a reaction that is not counted": (
        lambda s: s.columns.conversations.put(
            keys.reaction_key(keys.prefix(G), 3, "x", "eve"), keys.REACTION_VALUE
        ),
        "state",
    ),
    "a reaction without a state": (
        lambda s: s.columns.conversations.put(
            keys.reaction_key(keys.prefix(G), 99, "x", "eve"), keys.REACTION_VALUE
        ),
        "state",
    ),
    "a reaction that is counted and gone": (
        lambda s: drop(s, "conversations", keys.reaction_key(keys.prefix(G), 3, "x", "cat")),
        "state",
    ),
    "what became of nothing": (
        lambda s: s.columns.conversations.put(at(G, 1), keys.state_value(b'{"counts":{}}')),
        "reference",
    ),
    "a change of what comes later": (
        lambda s: change(s, "messages", at(G, 7), b'"target":3', b'"target":99'),
        "reference",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_conversations_is_found(damage: str) -> None:
    assert DAMAGE[damage][1] in broken(DAMAGE[damage])
