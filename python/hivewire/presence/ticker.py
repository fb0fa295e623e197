"""Runs `Presence` on the loop: a timer only while something is pending, none on an idle node."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from hivewire.core.seen import load_seen
from hivewire.delivery import encode
from hivewire.presence.presence import TURN_MS, Presence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hivewire.config import Settings
    from hivewire.core.entries import PresenceEntry
    from hivewire.delivery import Delivery
    from hivewire.metrics import Metrics


PARTED_A_STEP: Final = 2048


class Timer(Protocol):
    """What a loop's `call_later` returns."""

    def cancel(self) -> None:
        """Do not call."""
        ...


class Ticker:
    """Calls `Presence.turn` when it is due, writes what it decides and pushes what it tells.

    Args:
        settings: Of the node.
        delivery: To the journal and to the engine.
        metrics: Where to count.
        devices: Names of the devices with which a user is connected.
        call_later: The loop's: seconds, then what to call.
        clock: Milliseconds; only goes forward. The same that `Presence` is told.
        jitter: A number between 0 and 1, another one each time.
    """

    def __init__(
        self,
        settings: Settings,
        delivery: Delivery,
        metrics: Metrics,
        *,
        devices: Callable[[str], list[str]],
        call_later: Callable[[float, Callable[[], None]], Timer],
        clock: Callable[[], int],
        jitter: Callable[[], float],
    ) -> None:
        view = delivery.view
        self.presence = Presence(
            settings,
            devices=devices,
            last_seen=partial(load_seen, view.store),
            is_blocked=view.is_blocked,
            jitter=jitter,
            wake=self.wake,
        )
        self._delivery = delivery
        self._metrics = metrics
        self._call_later = call_later
        self._clock = clock
        self._timer: Timer | None = None
        self._at = 0
        """When (ms) the timer goes off, if there is one."""
        self._stopped = False

    def wake(self, at: int) -> None:
        """See to it that there is a turn at `at` (ms), or in `TURN_MS` if that is later."""
        timer = self._timer
        if self._stopped or (timer is not None and self._at <= at):
            return
        if timer is not None:
            timer.cancel()
        now = self._clock()
        self._at = max(at, now + TURN_MS)
        self._timer = self._call_later((self._at - now) / 1000, self.turn)

    def stop(self) -> None:
        """No more turns."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def turn(self) -> None:
        """Do what is due."""
        self._timer = None
        delivery, presence = self._delivery, self.presence
        turn = presence.turn(self._clock(), may_write=not delivery.journal.is_full)
        if turn.entries:
            self._write(turn.entries)
        for watcher, changes in turn.batches:
            self._metrics.presence_changes += len(changes)
            push = encode(watcher.encoding, {"op": "presence", "changes": changes})
            delivery.volatile(watcher.conn, push)
        delivery.flush()
        due = presence.due
        if due is not None:
            self.wake(due)

    def _write(self, entries: list[PresenceEntry]) -> None:
        def released() -> None:
            self.presence.released(entries, self._clock())

        delivery = self._delivery
        delivery.seen(entries)
        delivery.when_durable(released)
        delivery.journal.commit()

    def part(self, connected: Iterable[str], ts: int) -> Iterator[None]:
        """The node ends: write of everybody who was there that he is there no more.

        Step by step, `PARTED_A_STEP` users each, so that a million of them need not wait for the
        disk in memory: the next step is taken when the journal has got on.

        Args:
            connected: The users who have a line.
            ts: Milliseconds since the Unix epoch.
        """
        self.stop()
        partings = self.presence.partings(connected, ts)
        while some := list(islice(partings, PARTED_A_STEP)):
            self._delivery.seen(some)
            self._delivery.journal.commit()
            yield
