"""A look into a data directory: what `hivewire inspect` prints, an object a line.

It reads rows one by one and believes none: what cannot be read is shown as it lies there, with
`problem`. It never writes, and a node may run meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from hivewire.store import keys, timelines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hivewire.store import Column, Store

Line = dict[str, Any]
"""`row` says what it is; the other fields are the row's."""

ESTIMATES: Final = ("estimate-num-keys", "live-sst-files-size", "cur-size-all-mem-tables")
KINDS: Final = {1: "direct", 2: "group", 3: "channel"}
ROLES: Final = ("peer", "member", "admin", "owner")
OPS: Final = {1: "send", 2: "edit", 3: "recall", 4: "react", 5: "create", 6: "add"} | {
    7: "remove",
    8: "update",
    9: "leave",
}
SCANNED: Final = 1000
"""Rows that are read in one go."""


def overview(store: Store) -> Iterator[Line]:
    """What this data is; the figures are RocksDB's estimates."""
    created = store.get(store.columns.meta, keys.META_CREATED)
    yield {
        "row": "data",
        "format": keys.FORMAT_VERSION,
        "epoch": store.epoch,
        "created": None if created is None else int(created),
        **{name.replace("-", "_"): store.property(name) for name in ESTIMATES},
    }


def user(store: Store, name: str, after: int, limit: int) -> Iterator[Line]:
    """A user, his devices, conversations and blocks, and up to `limit` events behind `after`."""
    columns, prefix = store.columns, keys.prefix(name)
    own, seen = store.get(columns.marks, prefix), store.get(columns.marks, keys.seen_key(name))
    gathered = dict(_gathered(store, name))
    last = store.last(columns.timeline, prefix)
    head = max(0 if last is None else timelines.end_of(last), *gathered, 0)
    yield (
        {"row": "user", "user": name, "head": head}
        | _read(own, lambda row: keys.parse_user_value(row)._asdict())
        | _read(seen, lambda row: keys.parse_seen_value(row)._asdict())
    )
    for key, value in _rows(store, columns.cursors, prefix):
        device = keys.split(key)[1].decode()
        yield {"row": "device", "device": device} | _read(value, _cursor)
    for key, value in _rows(store, columns.members, prefix):
        suffix = keys.split(key)[1]
        if suffix.startswith(keys.BLOCK_SUFFIX):
            yield {"row": "block", "user": suffix.removeprefix(keys.BLOCK_SUFFIX).decode()}
        else:
            yield {"row": "member_of", "conv": suffix.decode()} | _read(value, _member)
    lines = dict(_timeline(store, prefix, after, limit))
    for seq, packed in gathered.items():
        if seq > after and seq not in lines:
            lines[seq] = _event(store, seq, packed) | {"gathered": True}
    for seq in sorted(lines)[:limit]:
        yield lines[seq]


def conversation(store: Store, conv: str, after: int, limit: int) -> Iterator[Line]:
    """A conversation, its members with their marks, and up to `limit` rows behind place `after`.

    The rows are those of the log: what became of a message stands behind it as `state`.
    """
    columns, prefix = store.columns, keys.prefix(conv)
    last = store.last(columns.messages, prefix)
    head = 0 if last is None else keys.position_of(last[0])
    about = store.get(columns.conversations, prefix)
    yield {"row": "conversation", "conv": conv, "head": head} | _read(about, _conversation)
    for key, value in _rows(store, columns.members, prefix):
        yield {"row": "member", "user": keys.split(key)[1].decode()} | _read(value, _member)
    for key, value in _rows(store, columns.marks, prefix):
        who = keys.split(key)[1].decode()
        yield {"row": "mark", "user": who} | _read(value, _mark)
    start = prefix + keys.position(after + 1)
    for key, value in store.scan(columns.messages, start, keys.range_end(prefix), limit):
        line = {"row": "event", "n": keys.position_of(key)} | _read(value, _body)
        state = store.get(columns.conversations, key)
        yield line if state is None else line | {"state": _read(state, _body)}


def key(store: Store, name: str, client_key: str) -> Iterator[Line]:
    """What a user's key was used for."""
    value = store.get(store.columns.keys, keys.prefix(name) + client_key.encode())
    line = {"row": "key", "user": name, "key": client_key, "used": value is not None}
    yield line | _read(value, _key)


def _rows(store: Store, column: Column, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All rows under a prefix."""
    start, end = prefix, keys.range_end(prefix) if prefix else None
    while rows := store.scan(column, start, end, SCANNED):
        for key, value in rows:
            # A user's own rows in `members` have a suffix, and so have marks and cursors.
            if key != prefix:
                yield key, value
        start = rows[-1][0] + b"\0"


def _timeline(store: Store, prefix: bytes, after: int, limit: int) -> Iterator[tuple[int, Line]]:
    """The events of a timeline by place, as the rows have them. One that is damaged is a line."""
    start = prefix + keys.position(timelines.start_of(after + 1))
    rows = store.scan(store.columns.timeline, start, keys.range_end(prefix), limit + timelines.RUN)
    for key, value in rows:
        seq = keys.position_of(key)
        try:
            references = timelines.packed_references(value)
        except keys.RowError as problem:
            yield seq, {"row": "event", "seq": seq, "problem": str(problem), "value": value.hex()}
            continue
        for place, packed in enumerate(references, seq):
            if place > after:
                yield place, _event(store, place, packed)


def _gathered(store: Store, name: str) -> Iterator[tuple[int, bytes]]:
    """The references of a user that are in no row of his timeline yet, by place."""
    for _, value in _rows(store, store.columns.fanout, b""):
        packed, places = timelines.parse_fanout(value)
        for user, seq in places:
            if user == name:
                yield seq, packed


def _event(store: Store, seq: int, packed: bytes) -> Line:
    """An event of a timeline with what it refers to."""
    place = timelines.message_key_of(packed)
    body = store.get(store.columns.messages, place)
    conv, n = keys.split_position(place)
    line: Line = {"row": "event", "seq": seq}
    if body is None:
        return line | {"conv": conv, "n": n, "problem": "it refers to no row of messages"}
    return line | _read(body, _body)


def _read(value: bytes | None, parse: Callable[[bytes], Line]) -> Line:
    """The fields of a row; nothing for none, and the bytes of one that cannot be read."""
    if value is None:
        return {}
    try:
        return parse(value)
    except (ValueError, IndexError, KeyError) as problem:
        return {"problem": str(problem), "value": value.hex()}


def _body(value: bytes) -> Line:
    return msgspec.json.decode(keys.message_body(value), type=Line)


def _cursor(value: bytes) -> Line:
    return keys.parse_cursor_value(value)._asdict()


def _mark(value: bytes) -> Line:
    return keys.parse_mark_value(value)._asdict()


def _member(value: bytes) -> Line:
    row = keys.parse_member_value(value)
    return {"role": ROLES[row.role], "since": row.since, "kind": KINDS[row.kind]}


def _conversation(value: bytes) -> Line:
    row = keys.parse_conversation_value(value)
    history = "joined" if row.history == keys.HISTORY_JOINED else "all"
    return row._asdict() | {"kind": KINDS[row.kind], "history": history}


def _key(value: bytes) -> Line:
    row = keys.parse_key_value(value)
    return row._asdict() | {"op": OPS[row.op], "digest": row.digest.hex()}
