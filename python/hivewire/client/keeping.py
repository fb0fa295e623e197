"""How far the application is, made durable together with what it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hivewire.client.store import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.client.session import Session
    from hivewire.client.store import Store
    from hivewire.client.writer import Writer


class Keeping:
    """The place in the timeline and the application's records, in one transaction.

    Args:
        store: where they are kept; None to keep nothing.
        writer: writes to it.
        session: knows the place.
        on_safe: called when more of what was consumed is durable.
    """

    def __init__(
        self,
        store: Store | None,
        writer: Writer,
        session: Session,
        on_safe: Callable[[], None],
    ) -> None:
        self._store = store
        self._writer = writer
        self._session = session
        self._on_safe = on_safe
        self._records: list[Change] = []
        self._settled: tuple[int | None, str | None] = (None, None)
        self._user = ""

    def load(self) -> dict[str, dict[str, Any]]:
        """Tell the session where an earlier run stopped; gives that run's outbox."""
        if self._store is None:
            return {}
        state = self._store.read("state")
        place = state.get("place")
        self._user = state.get("user", "")
        if place is not None:
            self._session.restore(place["cursor"], place["epoch"], self._user)
            self._settled = (place["cursor"], place["epoch"])
        return self._store.read("outbox")

    def keep(self, name: str, value: object) -> None:
        """Keep a record with the event in hand, or at once."""
        if not name:
            raise ValueError("a record needs a name")
        self._records.append(Change("records", name, value))
        if not self._session.in_hand:
            self.settle()

    def kept(self, prefix: str) -> dict[str, Any]:
        """Records that are on the disk."""
        return {} if self._store is None else self._store.read("records", prefix)

    def on_connected(self, *, reset: bool) -> None:
        """The server has told user, place and epoch; what was kept of other data goes."""
        if reset:
            self._records = [Change("records")]
        if self._user != self._session.user:
            self._user = self._session.user
            self._writer.write([Change("state", "user", self._user)])
        if not self._session.in_hand:
            self.settle()

    def settle(self) -> None:
        """Write the place if it has moved, and the records that belong to it."""
        consumed, epoch = self._session.consumed, self._session.epoch
        if (consumed, epoch) == self._settled and not self._records:
            return
        self._settled = (consumed, epoch)
        changes, self._records = self._records, []
        if consumed is not None:
            changes.append(Change("state", "place", {"cursor": consumed, "epoch": epoch}))
        self._writer.write(changes, lambda: self._on_written(consumed, epoch))

    def _on_written(self, consumed: int | None, epoch: str | None) -> None:
        if consumed is not None:
            self._session.on_safe(consumed, epoch)
            self._on_safe()
