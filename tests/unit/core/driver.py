"""A node without sockets: the core on a store that forgets what was not synced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hivewire.core import commands as c
from hivewire.core import events
from hivewire.core.apply import apply_block, apply_device, apply_send
from hivewire.core.apply_change import apply_change
from hivewire.core.entries import BlockEntry, ChangeEntry, CursorEntry, DeviceEntry, SendEntry
from hivewire.core.media import Upload, apply_media, apply_naming, plan_gone, plan_upload
from hivewire.core.plan import plan_ack, plan_connect, plan_send
from hivewire.core.plan_change import plan_edit, plan_react, plan_recall
from hivewire.core.plan_group import plan_add, plan_create, plan_leave, plan_remove, plan_update
from hivewire.core.timeline import page
from hivewire.core.view import View
from hivewire.store import keys
from hivewire.store.journal import Group, Journal, ManualCommitter
from hivewire.store.memory import Memory
from hivewire.store.timelines import replay

if TYPE_CHECKING:
    from hivewire.core.entries import (
        Duplicate,
        MarkEntry,
        MediaEntry,
        MediaGoneEntry,
        Pending,
        Rejection,
    )
    from hivewire.core.marks import Covered
    from hivewire.core.overlay import Pending as PendingRow
    from hivewire.core.plan import ConnectPlan
    from hivewire.core.timeline import Page

BOUND = 6
"""Members of a group; one more and it becomes a channel."""

Outcome = Any
"""An entry, or what `plan` says instead; the tests say which one they expect."""


class Applied(NamedTuple):
    """What a group holds until it is durable."""

    entry: object
    pending: list[PendingRow]
    marks: list[MarkEntry]


class Driver:
    """Plans and applies as the node does; the caller says when the disk has caught up."""

    def __init__(self, store: Memory | None = None, cache_users: int = 8192) -> None:
        self.store = store or Memory()
        self.cache_users = cache_users
        self.now = 1_700_000_000_000
        self.keys_made = 0
        self.answered: list[SendEntry | ChangeEntry] = []
        self.told: list[Covered] = []
        """Marks that are durable, as receipts would tell them."""
        self._start()

    def _start(self) -> None:
        replay(self.store)
        self.view = View(self.store, self.cache_users)
        self.committer = ManualCommitter()
        self.journal: Journal[list[Applied]] = Journal(
            self.store, self.committer, release=self._release, fatal=self._fatal, payload=list
        )

    def crash(self) -> None:
        """Lose the memory and what was not synced; start again."""
        self.store.crash()
        self._start()

    def key(self) -> str:
        self.keys_made += 1
        return f"key-{self.keys_made:08}"

    # -- messages --------------------------------------------------------------------------------

    def send(
        self, user: str, to: str, text: str = "hi", key: str | None = None, **fields: object
    ) -> SendEntry | Duplicate | Pending | Rejection:
        """Plan a message, apply it if it is good; it is not durable yet."""
        self.now += 1
        command = c.Send(1, to, key or self.key(), text, **fields)  # type: ignore[arg-type]
        outcome = plan_send(command, user, "phone", self.view, self.now)
        if isinstance(outcome, SendEntry):
            group = self.journal.rotate_if_full()
            apply_send(outcome, self.view, group.put, self.store.columns)
            group.count += 1
            naming = apply_naming(outcome, self.view, group.put)
            group.payload.append(Applied(outcome, naming, []))
        return outcome

    def sent(
        self, user: str, to: str, text: str = "hi", key: str | None = None, **fields: object
    ) -> SendEntry:
        """Send and wait until it is durable."""
        outcome = self.send(user, to, text, key, **fields)
        assert isinstance(outcome, SendEntry), outcome
        self.settle()
        return outcome

    def edit(self, user: str, conv: str, n: int, text: str, key: str | None = None) -> Outcome:
        command = c.Edit(1, conv, n, key or self.key(), text)
        return self._change(plan_edit(command, user, "phone", self.view, self._tick()))

    def recall(self, user: str, conv: str, n: int, key: str | None = None) -> Outcome:
        command = c.Recall(1, conv, n, key or self.key())
        return self._change(plan_recall(command, user, "phone", self.view, self._tick()))

    def react(
        self, user: str, conv: str, n: int, emoji: str, on: bool = True, key: str | None = None
    ) -> Outcome:
        command = c.React(1, conv, n, key or self.key(), emoji, on)
        return self._change(plan_react(command, user, "phone", self.view, self._tick()))

    # -- uploads ---------------------------------------------------------------------------------

    def upload(self, media: str, user: str = "ann", size: int = 100) -> MediaEntry:
        """An upload whose bytes are there; its row is not durable yet."""
        upload = Upload(media, user, self._tick(), "image/png", size, 4, 3, thumbnail=True)
        entry = plan_upload(upload, self.view)
        self._media(entry)
        return entry

    def drop(self, media: str, before_ms: int | None = None) -> MediaGoneEntry | None:
        """Let an upload go if nothing names it; not durable yet."""
        entry = plan_gone(media, self.view, before_ms or self.now + 1)
        if entry is not None:
            self._media(entry)
        return entry

    def _media(self, entry: MediaEntry | MediaGoneEntry) -> None:
        group = self.journal.rotate_if_full()
        pending = apply_media(entry, self.view, group.batch)
        group.count += 1
        group.payload.append(Applied(entry, pending, []))

    # -- groups ----------------------------------------------------------------------------------

    def create(
        self,
        user: str,
        *members: str,
        group: str | None = "g",
        bound: int = BOUND,
        **fields: Any,
    ) -> Outcome:
        command = c.GroupCreate(
            1, fields.pop("key", None) or self.key(), group, members=list(members), **fields
        )
        planned = plan_create(
            command, user, "phone", self.view, self._tick(), fresh="fresh", bound=bound
        )
        return self._change(planned)

    def add(self, user: str, conv: str, *members: str, key: str | None = None) -> Outcome:
        command = c.GroupAdd(1, conv, key or self.key(), list(members))
        planned = plan_add(command, user, "phone", self.view, self._tick(), bound=BOUND)
        return self._change(planned)

    def remove(self, user: str, conv: str, *members: str, key: str | None = None) -> Outcome:
        command = c.GroupRemove(1, conv, key or self.key(), list(members))
        return self._change(plan_remove(command, user, "phone", self.view, self._tick()))

    def leave(self, user: str, conv: str, key: str | None = None) -> Outcome:
        command = c.GroupLeave(1, conv, key or self.key())
        return self._change(plan_leave(command, user, "phone", self.view, self._tick()))

    def update(self, by: str, conv: str, **fields: Any) -> Outcome:
        command = c.GroupUpdate(1, conv, fields.pop("key", None) or self.key(), **fields)
        return self._change(plan_update(command, by, "phone", self.view, self._tick()))

    def _tick(self) -> int:
        self.now += 1
        return self.now

    def _change(self, outcome: Outcome) -> Outcome:
        """Apply a change if it is good; it is not durable yet."""
        if isinstance(outcome, ChangeEntry):
            group = self.journal.rotate_if_full()
            applied = apply_change(outcome, self.view, group.batch)
            group.count += 1
            group.payload.append(Applied(outcome, applied.pending, applied.marks))
        return outcome

    def block(self, user: str, other: str, *, on: bool = True) -> None:
        """Block, or no longer; not durable yet."""
        group = self.journal.rotate_if_full()
        pending = apply_block(BlockEntry(user, other, on), self.view, group.batch)
        group.count += 1
        group.payload.append(Applied(None, [pending], []))

    # -- devices and marks -----------------------------------------------------------------------

    def connect(self, user: str, device: str = "phone", **fields: object) -> ConnectPlan:
        """Connect a device, without waiting for it to be durable."""
        command = c.Connect(1, device=device, **fields)  # type: ignore[arg-type]
        plan = plan_connect(command, user, device, self.view, self.now, self.store.epoch)
        if plan.entry is not None:
            group = self.journal.open
            apply_device(plan.entry, self.view, group.put)
            group.count += 1
            group.payload.append(Applied(plan.entry, [], []))
        return plan

    def ack(self, user: str, seq: int, device: str = "phone") -> CursorEntry | Rejection | None:
        """Acknowledge; gathered, not written."""
        outcome = plan_ack(seq, user, device, self.view, self.now)
        if isinstance(outcome, CursorEntry):
            self.view.cursors.note(outcome)
        return outcome

    def flush_cursors(self) -> None:
        """Write what acks were gathered."""
        group = self.journal.open
        entries = self.view.cursors.flush(group.put)
        group.count += len(entries)
        group.payload.extend(Applied(entry, [], []) for entry in entries)

    def read(self, user: str, conv: str, n: int) -> None:
        """Read a conversation up to `n`, and wait until that is durable."""
        self.view.marks.move(conv, user, n, n, frozenset())
        self.flush_marks()
        self.settle()

    def flush_marks(self) -> list[Covered]:
        """Write what marks were moved."""
        group = self.journal.open
        moved = self.view.marks.flush(group.put)
        group.count += len(moved)
        group.payload.append(Applied(None, [], [one.mark for one in moved]))
        self.told += moved
        return moved

    # -- what there is ---------------------------------------------------------------------------

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

    def timeline(self, user: str) -> list[dict[str, Any]]:
        """All events of a user."""
        return [event for part in self.pages(user, limit=500) for event in part.to_dict()["events"]]

    def log(self, conv: str) -> list[dict[str, Any]]:
        """The bodies of a conversation as they are stored."""
        prefix = keys.prefix(conv)
        column = self.store.columns.messages
        rows = self.store.scan(column, prefix, keys.range_end(prefix), 10_000)
        return [events.decode(keys.message_body(value)) for _, value in rows]

    def rows(self) -> dict[str, dict[bytes, bytes]]:
        """Everything visible, by column family."""
        return {name: dict(getattr(self.store.columns, name).rows) for name in keys.COLUMNS}

    def _release(self, group: Group[list[Applied]]) -> None:
        for entry, pending, marks in group.payload:
            if isinstance(entry, SendEntry | ChangeEntry):
                self.view.release([entry])
                self.answered.append(entry)
            elif isinstance(entry, CursorEntry | DeviceEntry):
                self.view.cursors.release([entry])
            self.view.overlay.release(pending)
            self.view.marks.release(marks)

    def _fatal(self, error: BaseException) -> None:
        raise AssertionError("the journal died") from error
