"""Dead letters: pushes that were given up, seen and sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hivewire.core.apply_push import apply_outbox
from hivewire.core.entries import OutboxEntry
from hivewire.store import keys, pushes
from hivewire.store.pushes import Push

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hivewire.store import Store
    from hivewire.store.pushes import Dead

ROWS_A_READ: Final = 512
LETTERS_A_GROUP: Final = 200
WHAT: Final = {pushes.MESSAGE: "message", pushes.CLEAR: "clear"}


class DeadLetter(NamedTuple):
    """A push that was given up, and whose it was."""

    user: str
    device: str
    seq: int
    dead: Dead

    @property
    def key(self) -> bytes:
        """Its row in the outbox."""
        return pushes.dead_key(self.user, self.seq, self.device)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for people and for JSON. Times are ms since the Unix epoch."""
        return {
            "user": self.user,
            "device": self.device,
            "seq": self.seq,
            "type": WHAT[self.dead.what],
            "conv": self.dead.conv,
            "n": self.dead.n,
            "attempts": self.dead.attempts,
            "sent": self.dead.ts,
            "died": self.dead.died,
            "error": self.dead.error,
        }


def dead_letters(store: Store, user: str | None = None) -> Iterator[DeadLetter]:
    """All dead letters, of all users or of one, in order of users and then of `seq`."""
    column = store.columns.outbox
    start, end = (b"", None)
    if user is not None:
        start = keys.prefix(user) + pushes.DEAD
        end = start[:-1] + b";"
    while rows := store.scan(column, start, end, ROWS_A_READ):
        for key, value in rows:
            place = pushes.split_outbox_key(key)
            if place.kind == "dead":
                yield DeadLetter(place.user, place.device, place.seq, pushes.parse_dead(value))
        start = rows[-1][0] + b"\0"


def revive(letters: Iterable[DeadLetter], now: int) -> OutboxEntry:
    """Put letters back among the pushes that are due, as if they were new ones."""
    gone: list[bytes] = []
    rows: list[tuple[bytes, bytes]] = []
    for letter in letters:
        dead = letter.dead
        push = Push(dead.what, 0, now, now, dead.conv, dead.n)
        key = pushes.push_key(letter.user, letter.seq, letter.device)
        gone.append(letter.key)
        rows.append((key, pushes.push_value(push)))
    return OutboxEntry(tuple(gone), tuple(rows))


def replay(store: Store, letters: Iterable[DeadLetter], now: int) -> int:
    """Do so in a store that no node has open. Returns how many there were."""
    count = 0
    for group in _groups(letters):
        batch = store.batch()
        apply_outbox(revive(group, now), store, batch)
        store.write(batch)
        count += len(group)
    store.sync()
    return count


def _groups(letters: Iterable[DeadLetter]) -> Iterator[list[DeadLetter]]:
    group: list[DeadLetter] = []
    for letter in list(letters):
        group.append(letter)
        if len(group) == LETTERS_A_GROUP:
            yield group
            group = []
    if group:
        yield group
