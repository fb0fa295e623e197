"""What became of the newest pushes, step by step: a part of `why`. The outbox knows what comes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from hivewire.store import keys, pushes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hivewire.store import Store

NOTES: Final = 10_000
"""Steps that are remembered: a MiB or two."""
ROWS: Final = 64
"""Devices of one user whose rows are looked at."""


class Note(NamedTuple):
    """A step of a push."""

    at: int | None
    """Milliseconds since the Unix epoch; None: with the message. Of `waiting`, when it is due."""
    user: str
    seq: int
    """The place of the message in his timeline."""
    device: str
    """Empty before it is decided that devices are told."""
    step: str
    """`held`, `due`, `sent`, `delivered`, `failed`, `waiting`, `cancelled`, `unregistered` or
    `gave up`; with `clear` in front where a push is taken back."""
    said: str
    """An answer, or a reason."""


class Trail:
    """The newest steps. Loop thread only."""

    def __init__(self, most: int = NOTES) -> None:
        self._notes: deque[Note] = deque(maxlen=most)

    def note(self, at: int, user: str, seq: int, device: str, step: str, said: str) -> None:
        """Something happened just now."""
        self._notes.append(Note(at, user, seq, device, step, said))

    def hand_over(self) -> list[tuple[int | None, str, int, str, str, str]]:
        """All that is remembered, as plain values."""
        return [note[:] for note in self._notes]

    def take_over(self, rows: Iterable[tuple[int | None, str, int, str, str, str]]) -> None:
        """Remember what another one did, before there is anything else to remember."""
        self._notes.extend(Note(*row) for row in rows)

    def of(self, places: Mapping[str, int]) -> dict[str, list[Note]]:
        """By user: what is remembered of the pushes for these places in their timelines."""
        found: dict[str, list[Note]] = {}
        for note in self._notes:
            if places.get(note.user) == note.seq:
                found.setdefault(note.user, []).append(note)
        return found


def story(store: Store, trail: Trail, places: Mapping[str, int]) -> dict[str, list[Note]]:
    """By user: everything that is known of the pushes for these places, in order of time."""
    told = trail.of(places)
    found: dict[str, list[Note]] = {}
    for user, seq in places.items():
        past, rows = told.get(user, []), [*_rows(store, user, seq)]
        if past or rows:
            last = {note.device: note.step for note in past}
            held = Note(None, user, seq, "", "held", "")
            found[user] = [held, *past, *(row for row in rows if _is_news(row, last))]
    return found


def _is_news(row: Note, last: Mapping[str, str]) -> bool:
    """Whether a row says more than the last step that is remembered of its device."""
    step = last.get(row.device, "")
    if row.step == "waiting":
        # While a request is under way its row is still there.
        return not step.endswith("sent")
    return row.step == "gave up" and step != "gave up"


def _rows(store: Store, user: str, seq: int) -> Iterator[Note]:
    """What the outbox has of a place."""
    outbox, start, end = store.columns.outbox, *(pushes.held_key(user, at) for at in (seq, seq + 1))
    for key, value in store.scan(outbox, start, end, ROWS):
        place = pushes.split_outbox_key(key)
        if place.kind == "held":
            yield Note(None, user, seq, "", "held", "")
        else:
            push = pushes.parse_push(value)
            said = f"{push.attempts} failed" if push.attempts else ""
            yield Note(push.due, user, seq, place.device, "waiting", said)
    prefix = keys.prefix(user) + pushes.DEAD
    start, end = (prefix + keys.position(at) for at in (seq, seq + 1))
    for key, value in store.scan(outbox, start, end, ROWS):
        dead = pushes.parse_dead(value)
        device = pushes.split_outbox_key(key).device
        yield Note(dead.died, user, seq, device, "gave up", dead.error)
