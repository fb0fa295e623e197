"""The rows of timelines: runs of references, and what is gathered until it makes a run.

A row of `timeline` holds the references of one event or of several that follow each other, never
across a multiple of `RUN`. An event for many members is one row of `fanout` at first, with the
place that it takes in each of their timelines; its references get into `timeline` when a run is
full. What a crash left in `fanout` is put into `timeline` by `replay`, before anybody looks. Byte
for byte: `docs/storage.md`.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from hivewire.store import StoreCorrupt, keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hivewire.store import Store

RUN = 16
"""Events in a row at most, a power of two: where a place is, is found in that many rows."""
WITHIN = RUN - 1
"""Of a place, what says where in its row it may be: the last one has all these bits."""

_VERSION = 1
_RUN_HEAD = Struct(">BB")
_REFERENCE_HEAD = Struct(">BH")
_FANOUT_HEAD = Struct(">B")
_ROWS_AT_A_TIME = 64
_SCANNED_AT_ONCE = 256
_WRITTEN_AT_ONCE = 1_000

SINGLE = _RUN_HEAD.pack(_VERSION, 1)
"""In front of a packed reference, makes a run of one."""


class Reference(NamedTuple):
    """What stands at a place of a timeline."""

    kind: int
    """The type of the event."""
    message_key: bytes
    """Its row in `messages`."""


def start_of(seq: int) -> int:
    """Where the row with `seq` begins at the earliest."""
    return seq & ~WITHIN


def pack_reference(kind: int, message_key: bytes) -> bytes:
    """A reference as it stands in rows."""
    return _REFERENCE_HEAD.pack(kind, len(message_key)) + message_key


def reference_start(kind: int, prefix: bytes) -> bytes:
    """What `pack_reference` makes of all keys with that prefix, but for the `n` at their end."""
    return pack_reference(kind, prefix + keys.LAST)[: -len(keys.LAST)]


def pack_run(references: Sequence[bytes]) -> bytes:
    """The value of a row with these packed references."""
    return _RUN_HEAD.pack(_VERSION, len(references)) + b"".join(references)


def end_of(row: tuple[bytes, bytes]) -> int:
    """The last `seq` in a row of `timeline`, found without reading its references."""
    key, value = row
    return keys.position_of(key) + length(value) - 1


def length(value: bytes) -> int:
    """How many events are in a row."""
    if len(value) < _RUN_HEAD.size or value[0] != _VERSION:
        raise keys.RowError(f"timeline row of unknown version: {value[:2].hex()}")
    return value[1]


def packed_references(value: bytes) -> list[bytes]:
    """The packed references of a row, in order."""
    found: list[bytes] = []
    at = _RUN_HEAD.size
    for _ in range(length(value)):
        end = _reference_end(value, at)
        found.append(value[at:end])
        at = end
    if at != len(value):
        raise keys.RowError(f"timeline row with {len(value) - at} bytes too many")
    return found


def message_key_of(packed: bytes) -> bytes:
    """The key in `messages` of a packed reference."""
    return packed[_REFERENCE_HEAD.size :]


def unpack(packed: bytes) -> Reference:
    """A packed reference, read."""
    return Reference(packed[0], packed[_REFERENCE_HEAD.size :])


def references(value: bytes) -> list[Reference]:
    """What a row of `timeline` holds, in order."""
    return [unpack(packed) for packed in packed_references(value)]


def read(store: Store, prefix: bytes, first: int, behind: int) -> list[bytes | None]:
    """The packed references at the places `first` … `behind - 1` of a timeline, by the rows.

    Args:
        store: Where they are.
        prefix: What the user's keys start with.
        first: The first `seq`.
        behind: The `seq` behind the last; at most some hundreds further.
    """
    found: list[bytes | None] = [None] * (behind - first)
    column, end = store.columns.timeline, prefix + keys.position(behind)
    start = prefix + keys.position(start_of(first))
    while rows := store.scan(column, start, end, _SCANNED_AT_ONCE):
        for key, value in rows:
            seq = keys.position_of(key)
            for at, packed in enumerate(packed_references(value), seq - first):
                if 0 <= at < len(found):
                    found[at] = packed
        if len(rows) < _SCANNED_AT_ONCE:
            break
        start = rows[-1][0] + b"\0"
    return found


def key_of_row(store: Store, prefix: bytes, seq: int) -> bytes:
    """The key of the row that holds `seq`; of one that begins with it if there is none."""
    column, start = store.columns.timeline, prefix + keys.position(start_of(seq))
    rows = store.scan(column, start, prefix + keys.position(seq + 1), RUN)
    return rows[-1][0] if rows and end_of(rows[-1]) >= seq else prefix + keys.position(seq)


def reference_at(store: Store, user: str, seq: int) -> Reference | None:
    """What stands at one place of a timeline, by the rows; None if nothing does."""
    (packed,) = read(store, keys.prefix(user), seq, seq + 1)
    return None if packed is None else unpack(packed)


def fanout_value(reference: bytes, places: Iterable[bytes]) -> bytes:
    """The value of a row of `fanout`.

    Args:
        reference: Packed.
        places: Of each member the prefix of the user's keys and behind it the `seq` as a position.
    """
    return _FANOUT_HEAD.pack(_VERSION) + reference + b"".join(places)


def parse_fanout(value: bytes) -> tuple[bytes, list[tuple[str, int]]]:
    """A packed reference, and the users and places that it takes."""
    if value[:1] != _FANOUT_HEAD.pack(_VERSION):
        raise keys.RowError(f"fanout row of unknown version: {value[:1].hex()}")
    at = _reference_end(value, _FANOUT_HEAD.size)
    reference = value[_FANOUT_HEAD.size : at]
    places: list[tuple[str, int]] = []
    while at < len(value):
        name = value.index(0, at + 1)
        end = name + 9
        if end > len(value):
            raise keys.RowError("fanout row that ends inside a place")
        places.append((value[at + 1 : name].decode(), keys.position_of(value[name:end])))
        at = end
    return reference, places


def replay(store: Store) -> int:
    """Put what a crash left in `fanout` into `timeline`, durably. Returns how many references.

    What is there already is not touched, so a crash in here does no harm. Raises StoreCorrupt where
    a place would leave a hole.
    """
    owing: dict[str, _Tail] = {}
    found = 0
    for _, value in _fanout_rows(store):
        reference, places = parse_fanout(value)
        for user, seq in places:
            tail = owing.get(user)
            if tail is None:
                tail = owing[user] = _Tail.load(store, user)
            found += tail.add(seq, reference)
    if owing:
        _write(store, owing.values())
    return found


def _fanout_rows(store: Store) -> Iterator[tuple[bytes, bytes]]:
    start = b""
    while rows := store.scan(store.columns.fanout, start, None, _ROWS_AT_A_TIME):
        yield from rows
        start = rows[-1][0] + b"\0"


def _write(store: Store, tails: Iterable[_Tail]) -> None:
    """All rows first; what they came from goes when they are durable."""
    batch, timeline = store.batch(), store.columns.timeline
    for tail in tails:
        for key, value in tail.rows():
            batch.put(key, value, timeline)
        if len(batch) >= _WRITTEN_AT_ONCE:
            store.write(batch)
            batch = store.batch()
    store.write(batch)
    store.sync()
    batch = store.batch()
    batch.delete_range(keys.position(0), keys.LAST, store.columns.fanout)
    store.write(batch)
    store.sync()


class _Tail:
    """What comes behind the last row of one timeline."""

    def __init__(self, user: str, due: int) -> None:
        self._user = user
        self._due = due
        """The first `seq` that is in no row."""
        self._packed: list[bytes] = []

    @staticmethod
    def load(store: Store, user: str) -> _Tail:
        """What the rows say. Of a timeline without rows the floor says where it goes on."""
        prefix = keys.prefix(user)
        last = store.last(store.columns.timeline, prefix)
        if last is not None:
            return _Tail(user, end_of(last) + 1)
        row = store.get(store.columns.marks, prefix)
        return _Tail(user, 1 if row is None else keys.parse_user_value(row).floor)

    def add(self, seq: int, reference: bytes) -> int:
        """Append a reference that is not here yet; how many were appended."""
        due = self._due + len(self._packed)
        if seq < due:
            return 0
        if seq > due:
            raise StoreCorrupt(f"timeline of {self._user} ends before {due}, and goes on at {seq}")
        self._packed.append(reference)
        return 1

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """The rows to be written."""
        return runs(keys.prefix(self._user), self._due, self._packed)


def runs(prefix: bytes, first: int, packed: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Rows of `timeline` with these packed references from the place `first` on."""
    at = 0
    while at < len(packed):
        behind = at + RUN - ((first + at) & WITHIN)
        yield prefix + keys.position(first + at), pack_run(packed[at:behind])
        at = behind


def _reference_end(value: bytes, at: int) -> int:
    if at + _REFERENCE_HEAD.size > len(value):
        raise keys.RowError("a reference ends inside its head")
    kind, size = _REFERENCE_HEAD.unpack_from(value, at)
    end = at + _REFERENCE_HEAD.size + size
    if not 0 < kind <= keys.TYPE_CONVERSATION or end > len(value):
        raise keys.RowError(f"a reference of unknown type or length: {value[at : at + 3].hex()}")
    return end
