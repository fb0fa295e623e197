"""In which order what came on each line, and where the line stood before it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.chaos.history import Answer, Connected, Page, Push, Sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.history import History, Record


class _Position:
    """What a client knows of the place of its line: protocol section 5, "Position"."""

    def __init__(self) -> None:
        self.seq = 0
        self.live = False
        self.open_syncs = 0


def arrivals(history: History) -> Iterator[tuple[Record, int, int | None]]:
    """Each `seq` that came on a line, with the position before it (None:

    any `seq` is right there).
    """
    lines: dict[int, _Position] = defaultdict(_Position)
    for record in history:
        at = lines[record.line]
        if isinstance(record, Connected):
            at.seq, at.live = record.cursor, record.cursor == record.head
        elif isinstance(record, Sync):
            at.open_syncs += 1
        elif isinstance(record, Page):
            yield from _page_arrivals(record, at)
        elif isinstance(record, Push):
            yield record, record.event.seq, at.seq
            at.seq = record.event.seq
        elif isinstance(record, Answer) and record.seq and not record.dup:
            yield from _sent_arrivals(record, at)


def _page_arrivals(page: Page, at: _Position) -> Iterator[tuple[Record, int, int | None]]:
    position = max(page.after, page.trimmed_before - 1)
    for event in page.events:
        yield page, event.seq, position
        position = event.seq
    at.open_syncs = max(0, at.open_syncs - 1)
    at.seq, at.live = page.next, page.done


def _sent_arrivals(answer: Answer, at: _Position) -> Iterator[tuple[Record, int, int | None]]:
    """A first `sent` fills its place on a live line; behind an open `sync` the line may be live or
    not.
    """
    if at.live and not at.open_syncs:
        yield answer, answer.seq, at.seq
        at.seq = answer.seq
    elif at.open_syncs and answer.seq == at.seq + 1:
        at.seq = answer.seq
