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
    Cursors.flush = lambda self, put: flush(self, lambda *_: None)  # type: ignore[method-assign]


def gap_between_replay_and_live() -> None:
    """The event behind the last page of a catch-up is lost for that user."""
    from hivewire.gateway import OPS

    skip: set[str] = set()

    def spoil(op: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if op[0] == OPS.page and op[-1]:
            skip.add(op[2])
        if op[0] == OPS.event and op[1] in skip:
            skip.discard(op[1])
            return [(OPS.send, op[5], op[6])] if op[5] else []
        return [op]

    _spoil_submit(spoil)


def double_fan_out() -> None:
    """The connection that sent gets its own event besides the answer."""
    from hivewire.gateway import OPS

    def spoil(op: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if op[0] == OPS.event and op[5]:
            return [(*op[:5], 0, None), (OPS.send, op[5], op[6])]
        return [op]

    _spoil_submit(spoil)


def small_caches() -> None:
    """No bug but a strain: two timelines fit into memory, the others are read again and again."""
    from hivewire.core.view import View

    begin = View.__init__

    def begin_small(self: View, store: Any, *_: Any) -> None:
        begin(self, store, 2)

    View.__init__ = begin_small  # type: ignore[method-assign]


def _spoil_submit(spoil: Callable[[tuple[Any, ...]], list[tuple[Any, ...]]]) -> None:
    """Put `spoil` between the gateway and the engine's `submit`."""
    from hivewire import app

    real: Any = app.Engine

    class Spoiled:
        def __init__(self, settings: object) -> None:
            self._engine = real(settings)

        def submit(self, ops: list[tuple[Any, ...]]) -> None:
            self._engine.submit([spoiled for op in ops for spoiled in spoil(op)])

        def __getattr__(self, name: str) -> Any:
            return getattr(self._engine, name)

    app.Engine = Spoiled


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
