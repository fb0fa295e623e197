"""Bugs planted into a node that really runs: what the chaos tests must catch.

`python tests/chaos/mutants.py NAME serve …` patches one function and starts `hivewire serve …`.
Every bug is one that a store or a delivery path can plausibly have; the node looks healthy with
each of them until something is killed, or until someone counts.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Op = tuple[Any, ...]
    Spoil = Callable[[Op], list[Op]]


def answer_before_sync() -> None:
    """The sync is skipped: what is answered is in the page cache only."""
    from hivewire.store.rocks import Rocks

    Rocks.sync = lambda self: None  # type: ignore[method-assign]


def keys_forgotten_at_restart() -> None:
    """A key is known as long as the process lives."""
    from hivewire.core.view import View

    View.preload_keys = lambda self, pairs: None  # type: ignore[method-assign]
    View.key_row = lambda self, user, key: None  # type: ignore[method-assign]


def seq_reused_after_crash() -> None:
    """The heads are read one too low: the last number is given again."""
    from hivewire.core import view

    load = view.load_user

    def load_too_low(*arguments: Any, **named: Any) -> Any:
        state = load(*arguments, **named)
        state.planned = state.durable = max(0, state.planned - 1)
        return state

    view.load_user = load_too_low


def cursor_outside_the_batch() -> None:
    """Moved cursors are taken as written, and are not."""
    from hivewire.core.cursors import Cursors

    flush = Cursors.flush
    Cursors.flush = lambda self, _, *rest: flush(self, lambda *_: None, *rest)  # type: ignore[method-assign]


def gap_between_replay_and_live() -> None:
    """The event behind the last page of a catch-up is lost for that user."""
    _spoil_submit(skip_behind_pages())


def double_fan_out() -> None:
    """The connection that sent gets its own event besides the answer."""
    _spoil_submit(echo_to_sender)


def small_caches() -> None:
    """No bug but a strain: two timelines fit into memory, the others are read again and again."""
    from hivewire.core.view import View

    begin = View.__init__

    def begin_small(self: View, store: Any, *_: Any) -> None:
        begin(self, store, 2)

    View.__init__ = begin_small  # type: ignore[method-assign]


def skip_behind_pages() -> Spoil:
    """Between gateway and engine: the first event behind a last page does not go out."""
    from hivewire.gateway import OPS

    skip: set[str] = set()

    def spoil(op: Op) -> list[Op]:
        if op[0] == OPS.page and op[-1]:
            skip.add(op[2])
        told = members_of(op)
        lost = {user for user, _ in told} & skip
        if not lost:
            return [op]
        skip.difference_update(lost)
        left = tuple(member for member in told if member[0] not in lost)
        body, twin, origin, answer = op[-4:]
        return [(OPS.events, left, body, twin, origin, answer)]

    return spoil


def echo_to_sender(op: Op) -> list[Op]:
    """Between gateway and engine: who sent gets the event and the answer."""
    from hivewire.gateway import OPS

    if members_of(op) and op[-1] is not None:
        return [(*op[:-2], 0, None), (OPS.send, op[-2], op[-1])]
    return [op]


def members_of(op: Op) -> tuple[tuple[str, int], ...]:
    """To whom an op tells an event, and as which `seq`."""
    from hivewire.gateway import OPS

    if op[0] == OPS.event:
        return ((op[1], op[2]),)
    return op[1] if op[0] == OPS.events else ()


def _spoil_submit(spoil: Spoil) -> None:
    """Put `spoil` between the gateway and the engine's `submit`."""
    from hivewire import foundation

    real: Any = foundation.Engine

    class Spoiled:
        def __init__(self, settings: object) -> None:
            self._engine = real(settings)

        def submit(self, ops: list[Op]) -> int:
            return self._engine.submit([spoiled for op in ops for spoiled in spoil(op)])

        def __getattr__(self, name: str) -> Any:
            return getattr(self._engine, name)

    foundation.Engine = Spoiled


MUTANTS = {
    mutant.__name__: mutant
    for mutant in (
        answer_before_sync,
        keys_forgotten_at_restart,
        seq_reused_after_crash,
        cursor_outside_the_batch,
        gap_between_replay_and_live,
        double_fan_out,
    )
}
STRAINS = {"small_caches": small_caches}

if __name__ == "__main__":
    from hivewire.cli import main

    (MUTANTS | STRAINS)[sys.argv.pop(1)]()
    main()
