"""The bytes of `docs/storage.md`: its examples are read from the page and compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.store import Columns, keys

PAGE = Path(__file__).parents[3] / "docs" / "storage.md"
EXAMPLE = r"^### `(\w+)`\n(?:(?!^### ).*\n)*?Example: `([0-9a-f]+)` → `([0-9a-f]+)`"
DIGEST = bytes(range(16))
TS = 1_700_000_000_000
ann, conv = keys.prefix("ann"), keys.prefix("direct:ann,bob")

GOLDEN = {
    "timeline": (ann + keys.position(3), keys.MESSAGE_REFERENCE + conv + keys.position(7)),
    "messages": (conv + keys.position(7), keys.MESSAGE_VERSION + b'{"type":"message"}'),
    "conversations": (conv, keys.conversation_value(keys.KIND_DIRECT, TS)),
    "members": (ann + b"direct:ann,bob", keys.member_value(keys.ROLE_PEER, 1)),
    "marks": (ann, keys.floor_value(2)),
    "cursors": (ann + b"phone", keys.cursor_value(3, TS)),
    "keys": (ann + b"01JD8ZK3V6", keys.key_value(DIGEST, 7, 3, TS, "direct:ann,bob")),
}

names = st.text("azAZ09._~@+=/-", min_size=1, max_size=64)
positions = st.integers(0, 2**53 - 1)


def documented() -> dict[str, tuple[bytes, bytes]]:
    """The example of each column family: `- example: `key` → `value`` in hexadecimal."""
    text = PAGE.read_text()
    found = re.findall(EXAMPLE, text, re.MULTILINE)
    return {name: (bytes.fromhex(key), bytes.fromhex(value)) for name, key, value in found}


@pytest.mark.parametrize("column", GOLDEN)
def test_the_documented_bytes_are_the_written_ones(column: str) -> None:
    assert documented()[column] == GOLDEN[column]


def test_every_column_family_is_documented() -> None:
    sections = re.findall(r"^### `(\w+)`", PAGE.read_text(), re.MULTILINE)
    assert sections == list(keys.COLUMNS)
    assert sorted(Columns.__slots__) == sorted(keys.COLUMNS)


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


@given(st.binary(min_size=16, max_size=16), positions, positions, positions, names)
def test_values_come_back(digest: bytes, n: int, seq: int, ts: int, user: str) -> None:
    conversation = f"direct:{user},{user}"
    row = keys.parse_key_value(keys.key_value(digest, n, seq, ts, conversation))
    assert row == keys.KeyRow(keys.OP_SEND, digest, n, seq, ts, conversation)
    assert keys.parse_cursor_value(keys.cursor_value(n, ts)) == (n, ts)
    assert keys.parse_small_value(keys.member_value(3, n)) == (3, n)
    assert keys.parse_small_value(keys.conversation_value(1, ts)) == (1, ts)
    assert keys.parse_floor_value(keys.floor_value(n)) == n


@pytest.mark.parametrize(
    "parse",
    [
        keys.parse_key_value, keys.parse_cursor_value, keys.parse_small_value,
        keys.parse_floor_value, keys.message_body, keys.message_key_of,
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", [b"", b"\x02" + bytes(80), b"\x00"])
def test_a_value_of_another_version_is_refused(parse: object, value: bytes) -> None:
    with pytest.raises(keys.RowError):
        parse(value)  # type: ignore[operator]
