"""The bytes of `docs/storage.md`: its examples are read from the page and compared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.store import Columns, access, keys, pushes, timelines

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[3] / "docs" / "storage.md"
SECTION = re.compile(r"^### `(\w+)`\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^Example(?: of (.+?))?: `([0-9a-f]+)` → `([0-9a-f]+)`$", re.MULTILINE)
DIGEST = bytes(range(16))
TS = 1_700_000_000_000
ann, conv, group = keys.prefix("ann"), keys.prefix("direct:ann,bob"), keys.prefix("group:g")
STATE = b'{"edited":1700000000000,"text":"ho","edits":[8],"counts":{"+":1}}'
MEMBER = keys.member_value(keys.ROLE_OWNER, 2, keys.KIND_GROUP)

MESSAGE = timelines.pack_reference(keys.TYPE_MESSAGE, conv + keys.position(7))
EDIT = timelines.pack_reference(keys.TYPE_EDIT, conv + keys.position(8))
LAST_OF_BOB = keys.position(16)

GOLDEN = {
    "timeline": (ann + keys.position(3), timelines.pack_run([MESSAGE])),
    "timeline, a run": (ann + keys.position(4), timelines.pack_run([EDIT, MESSAGE])),
    "fanout": (
        keys.position(2),
        timelines.fanout_value(MESSAGE, [ann, keys.position(3), keys.prefix("bob"), LAST_OF_BOB]),
    ),
    "messages": (conv + keys.position(7), keys.MESSAGE_VERSION + b'{"type":"message"}'),
    "conversations": (conv, keys.conversation_value(keys.KIND_DIRECT, TS)),
    "conversations, a group": (
        group,
        keys.conversation_value(keys.KIND_GROUP, TS, keys.HISTORY_JOINED, 3, "Team"),
    ),
    "conversations, the state of a message": (
        keys.state_key(conv, 7),
        keys.state_value(STATE),
    ),
    "conversations, a reaction": (
        keys.reaction_key(conv, 7, "+", "bob"),
        keys.REACTION_VALUE,
    ),
    "members": (ann + b"direct:ann,bob", keys.member_value(0, 0, keys.KIND_DIRECT)),
    "members, the groups of a user": (ann + b"group:g", MEMBER),
    "members, the users of a group": (group + b"ann", MEMBER),
    "members, a block": (ann + keys.BLOCK_SUFFIX + b"bob", keys.BLOCK_VALUE),
    "marks": (conv + b"ann", keys.mark_value(7, 5)),
    "marks, a user's own row": (ann, keys.user_value(2, 1)),
    "marks, the row of a user who is pushed to": (ann, keys.user_value(2, 1, 3)),
    "marks, when a user was last there": (
        keys.seen_key("ann"),
        keys.seen_value(TS, hidden=False),
    ),
    "cursors": (ann + b"phone", keys.cursor_value(3, TS)),
    "keys": (
        ann + b"01JD8ZK3V6",
        keys.key_value(keys.OP_SEND, DIGEST, 7, 3, TS, "direct:ann,bob"),
    ),
    "media": (keys.media_key("0f1e"), keys.media_value(b'{"id":"0f1e"}')),
    "media, a message that names it": (
        keys.naming_key("0f1e", "direct:ann,bob", 7),
        keys.NAMING_VALUE,
    ),
    "devices": (
        pushes.registration_key("ann", "phone"),
        pushes.registration_value(pushes.Registration("webhook", "mobile", TS, token="t")),
    ),
    "devices, the keys of a device": (
        access.keys_key("ann", "phone"),
        access.keys_value(TS, b'{"x25519":"9hSR6S7WPtxmTojgo6GG3k4yDKecJY292j7xrsUGWBo"}'),
    ),
    "outbox": (pushes.held_key("ann", 3), pushes.held_value(TS, conv + keys.position(7))),
    "outbox, a push for a device": (
        pushes.push_key("ann", 3, "phone"),
        pushes.push_value(pushes.Push(pushes.MESSAGE, 1, TS + 1000, TS, "direct:ann,bob", 7)),
    ),
    "outbox, a dead letter": (
        pushes.dead_key("ann", 3, "phone"),
        pushes.dead_value(
            pushes.Dead(pushes.MESSAGE, 12, TS, "direct:ann,bob", 7, TS + 1000, "HTTP 500")
        ),
    ),
    "outbox, what a device was shown": (
        pushes.shown_key("ann", "direct:ann,bob", "phone"),
        pushes.shown_value(pushes.Shown(7, 3, TS)),
    ),
    "revocations": (access.revoked_key("ann"), access.revoked_value(TS)),
    "meta, the bytes of all uploads": (keys.META_MEDIA, keys.media_total_value(12_345)),
}

names = st.text("azAZ09._~@+=/-", min_size=1, max_size=64)
positions = st.integers(0, 2**53 - 1)


def documented() -> dict[str, tuple[bytes, bytes]]:
    """The examples of each column family: `Example: `key` → `value`` in hexadecimal."""
    return {
        f"{name}, {what}" if what else name: (bytes.fromhex(key), bytes.fromhex(value))
        for name, section in SECTION.findall(PAGE.read_text())
        for what, key, value in EXAMPLE.findall(section)
    }


def test_every_example_is_one_of_ours() -> None:
    assert list(documented()) == list(GOLDEN)


@pytest.mark.parametrize("row", GOLDEN)
def test_the_documented_bytes_are_the_written_ones(row: str) -> None:
    assert documented()[row] == GOLDEN[row]


def test_every_column_family_is_documented() -> None:
    sections = re.findall(r"^### `(\w+)`", PAGE.read_text(), re.MULTILINE)
    assert sections == list(keys.COLUMNS)
    assert sorted(Columns.__slots__) == sorted(keys.COLUMNS)


@pytest.mark.parametrize("family", ["TYPE", "OP", "KIND", "ROLE", "HISTORY"])
def test_every_number_is_documented_with_its_name(family: str) -> None:
    text = PAGE.read_text()
    named = {name: value for name, value in vars(keys).items() if name.startswith(f"{family}_")}
    assert len(set(named.values())) == len(named)
    for name, value in named.items():
        word = name.removeprefix(f"{family}_").lower()
        assert re.search(rf"\b{value} {word}\b", text), f"{value} {word}"


@given(names, positions, names, positions)
def test_keys_sort_like_partition_name_position(a: str, n: int, b: str, m: int) -> None:
    first, second = keys.prefix(a) + keys.position(n), keys.prefix(b) + keys.position(m)
    partition = {name: keys.prefix(name)[0] for name in (a, b)}
    expected = (partition[a], a.encode() + b"\0", n) < (partition[b], b.encode() + b"\0", m)
    assert (first < second) == expected


@given(names, positions)
def test_a_key_tells_its_name_and_position(name: str, n: int) -> None:
    key = keys.prefix(name) + keys.position(n)
    assert keys.split_position(key) == (name, n)
    assert keys.split(key) == (name, keys.position(n))
    assert keys.position_of(key) == n
    assert keys.prefix(name) <= key < keys.range_end(keys.prefix(name))


@given(
    st.binary(min_size=16, max_size=16),
    st.tuples(*[positions] * 3),
    names,
    st.tuples(*[st.integers(0, 255)] * 3),
)
def test_values_come_back(
    digest: bytes, places: tuple[int, int, int], user: str, small: tuple[int, int, int]
) -> None:
    (n, seq, ts), (op, kind, role), conversation = places, small, f"direct:{user},{user}"
    row = keys.parse_key_value(keys.key_value(op, digest, n, seq, ts, conversation))
    assert row == (op, digest, n, seq, ts, conversation)
    assert keys.parse_cursor_value(keys.cursor_value(n, ts)) == (n, ts)
    assert keys.parse_member_value(keys.member_value(role, n, kind)) == (role, n, kind)
    value = keys.conversation_value(kind, ts, role, n, f"{user} é")
    assert keys.parse_conversation_value(value) == (kind, ts, role, n, f"{user} é")
    assert keys.parse_mark_value(keys.mark_value(n, seq)) == (n, seq)
    assert keys.parse_user_value(keys.user_value(n, seq)) == (n, seq, 0)
    assert keys.parse_user_value(keys.user_value(n, seq, op)) == (n, seq, op)
    assert keys.parse_seen_value(keys.seen_value(ts, hidden=bool(op % 2))) == (ts, bool(op % 2))


@pytest.mark.parametrize(
    "parse",
    [
        *(keys.parse_key_value, keys.parse_cursor_value, keys.parse_member_value),
        *(keys.parse_conversation_value, keys.parse_mark_value, keys.parse_user_value),
        *(keys.parse_seen_value, keys.message_body, timelines.references),
    ],
)
@pytest.mark.parametrize("value", [b"", b"\x02" + bytes(80), b"\x00"])
def test_a_value_of_another_version_is_refused(
    parse: Callable[[bytes], object], value: bytes
) -> None:
    with pytest.raises(keys.RowError):
        parse(value)


@pytest.mark.parametrize("kind", [0, 7, 255])
def test_a_timeline_row_of_an_unknown_type_is_refused(kind: int) -> None:
    with pytest.raises(keys.RowError):
        timelines.references(timelines.pack_run([timelines.pack_reference(kind, conv)]))


@given(names, positions, st.text("ab👍", min_size=1, max_size=3), st.text("ab👍", min_size=1))
def test_what_is_about_a_message_lies_behind_its_state_and_before_the_next(
    user: str, n: int, emoji: str, other: str
) -> None:
    state, reaction = keys.state_key(conv, n), keys.reaction_key(conv, n, emoji, user)
    assert state < reaction < keys.state_key(conv, n + 1)
    start = keys.reaction_key(conv, n, emoji, "")
    within = start <= keys.reaction_key(conv, n, other, user) < keys.range_end(start)
    assert within == (other == emoji)


@given(names, names)
def test_a_users_blocks_lie_before_his_conversations(user: str, other: str) -> None:
    prefix = keys.prefix(user)
    assert prefix + keys.BLOCK_SUFFIX + other.encode() < prefix + keys.CONVERSATION_SUFFIX
    for name in (f"channel:{other}", f"direct:{other},{user}", f"group:{other}"):
        assert prefix + keys.CONVERSATION_SUFFIX < prefix + name.encode() < keys.range_end(prefix)


@given(names)
def test_a_partition_is_the_first_byte_of_the_key(name: str) -> None:
    assert keys.prefix(name)[0] == keys.partition(name)
