"""A node without sockets: the core on a store that forgets what was not synced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire.core.apply import apply_device, apply_send
from hivewire.core.commands import Connect, Send
from hivewire.core.entries import SendEntry
from hivewire.core.plan import plan_ack, plan_connect, plan_send
from hivewire.core.timeline import page
from hivewire.core.view import View
from hivewire.store.journal import Group, Journal, ManualCommitter
from hivewire.store.memory import Memory

if TYPE_CHECKING:
    from hivewire.core.entries import CursorEntry, Duplicate, Pending, Rejection
    from hivewire.core.plan import ConnectPlan
    from hivewire.core.timeline import Page


class Driver:
    """Plans and applies as the node does; the caller says when the disk has caught up."""

    def __init__(self, store: Memory | None = None, cache_users: int = 8192) -> None:
        self.store = store or Memory()
        self.cache_users = cache_users
        self.now = 1_700_000_000_000
        self.keys_made = 0
        self.answered: list[SendEntry] = []
        self._start()

    def _start(self) -> None:
        self.view = View(self.store, self.cache_users)
        self.committer = ManualCommitter()
        self.journal: Journal[list[object]] = Journal(
            self.store, self.committer, release=self._release, fatal=self._fatal, payload=list
        )

    def crash(self) -> None:
        """Lose the memory and what was not synced; start again."""
        self.store.crash()
        self._start()

    def send(
        self, user: str, to: str, text: str = "hi", key: str | None = None, **fields: object
    ) -> SendEntry | Duplicate | Pending | Rejection:
        """Plan a message, apply it if it is good; it is not durable yet."""
        self.keys_made += 1
        self.now += 1
        command = Send(1, to, key or f"key-{self.keys_made:08}", text, **fields)  # type: ignore[arg-type]
        outcome = plan_send(command, user, "phone", self.view, self.now)
        if isinstance(outcome, SendEntry):
            group = self.journal.rotate_if_full()
            apply_send(outcome, self.view, group.put, self.store.columns)
            group.count += 1
            group.payload.append(outcome)
        return outcome

    def sent(self, user: str, to: str, text: str = "hi", key: str | None = None) -> SendEntry:
        """Send and wait until it is durable."""
        outcome = self.send(user, to, text, key)
        assert isinstance(outcome, SendEntry), outcome
        self.settle()
        return outcome

    def connect(self, user: str, device: str = "phone", **fields: object) -> ConnectPlan:
        """Connect a device, without waiting for it to be durable."""
        command = Connect(1, device=device, **fields)  # type: ignore[arg-type]
        plan = plan_connect(command, user, device, self.view, self.now, self.store.epoch)
        if plan.entry is not None:
            group = self.journal.open
            apply_device(plan.entry, self.view, group.put)
            group.count += 1
            group.payload.append(plan.entry)
        return plan

    def ack(self, user: str, seq: int, device: str = "phone") -> CursorEntry | Rejection | None:
        """Acknowledge; gathered, not written."""
        outcome = plan_ack(seq, user, device, self.view, self.now)
        if outcome is not None and hasattr(outcome, "cursor"):
            self.view.cursors.note(outcome)
        return outcome

    def flush_cursors(self) -> None:
        """Write what acks were gathered."""
        group = self.journal.open
        entries = self.view.cursors.flush(group.put)
        group.count += len(entries)
        group.payload.extend(entries)

    def settle(self) -> None:
        """Let everything become durable."""
        self.journal.commit()
        while self.committer.step():
            pass

    def pages(self, user: str, after: int = 0, limit: int = 100) -> list[Page]:
        """All pages from a position until `done`."""
        pages = [page(self.view, user, after, limit)]
        while not pages[-1].done:
            pages.append(page(self.view, user, pages[-1].next, limit))
        return pages

    def _release(self, group: Group[list[object]]) -> None:
        for entry in group.payload:
            if isinstance(entry, SendEntry):
                self.view.release(entry)
                self.answered.append(entry)
            else:
                self.view.cursors.release([entry])  # type: ignore[list-item]

    def _fatal(self, error: BaseException) -> None:
        raise AssertionError("the journal died") from error
