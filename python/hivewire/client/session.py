"""The state of a user's device across lines, without any I/O: what was seen, what is open.

It keeps the promise "never twice, in order" on the client's side (protocol.md section 5):

- `seen` is the last `seq` put into the queue. What is at or below it is dropped, the next one is
  taken, and anything further shows a hole: then pushes are ignored until a page has filled it.
- `consumed` is the last `seq` the application is done with, `safe` what of that is in the store
  (without one: all of it). Only that is acknowledged, and a line that comes back starts there.
- While not live, a page is asked for only when the queue is empty. So the queue is bounded by what
  one page brings, and an application that is slow makes the server wait, not memory grow.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Any, Final

from hivewire.client.objects import Event, Sent

PAGE_EVENTS: Final = 100
# Pushes that wait for the application; beyond it they are left to a later page.
MAX_QUEUED: Final = 1000


class Loss(Enum):
    """Why events will not come any more; the application loads the state anew."""

    RESET = "the server's data is another incarnation"
    TRIMMED = "events older than the retention are gone"


class Session:
    """What a device knows of its timeline.

    Args:
        device: the device's id.
        cursor: where to go on from, as kept by the application; None for the server's own cursor.
        epoch: the incarnation that `cursor` belongs to.
        from_start: a device new to the server (with `durable`: one that has nothing kept) begins
            with the whole timeline, not with what comes.
        durable: what is consumed counts once `on_safe` says so.
    """

    def __init__(
        self,
        device: str,
        cursor: int | None = None,
        epoch: str | None = None,
        *,
        from_start: bool = False,
        durable: bool = False,
    ) -> None:
        self.device = device
        self.user = ""
        self.epoch = epoch
        self.seen = cursor or 0
        self.consumed = cursor
        self.acked = 0
        self.live = False
        self.syncing = False
        # Whether the application has taken an event and not asked for the next one.
        self.in_hand = False
        self._durable = durable
        self._safe = cursor
        self._from_start = from_start
        self._queue: deque[Event] = deque()

    @property
    def safe(self) -> int | None:
        """The last `seq` that need never come again."""
        return self._safe if self._durable else self.consumed

    def restore(self, cursor: int | None, epoch: str | None, user: str) -> None:
        """Go on where an earlier run has stopped."""
        self.seen = cursor or 0
        self.consumed = self._safe = cursor
        self.epoch = epoch
        self.user = user

    def on_safe(self, seq: int, epoch: str | None) -> None:
        """The store has it that everything up to `seq` was consumed."""
        if epoch == self.epoch:
            self._safe = max(self._safe or 0, seq)

    def connect_fields(self) -> dict[str, Any]:
        """What `connect` says about the timeline."""
        fields: dict[str, Any] = {"device": self.device, "sync": PAGE_EVENTS}
        if self.safe is not None:
            fields["cursor"] = self.safe
        elif self._durable and self._from_start:
            # Said outright: an answer that says `new_device` may be lost, and is not given again.
            fields["cursor"] = 0
        if self.epoch is not None:
            fields["epoch"] = self.epoch
        return fields

    def on_connected(self, answer: dict[str, Any]) -> Loss | None:
        """Take over what `connected` says, its first page included; tells what was lost."""
        self.user = answer["user"]
        self.epoch = answer["epoch"]
        cursor: int = answer["cursor"]
        if answer["new_device"] and self.consumed is None and self._from_start:
            cursor = 0
        self.acked = cursor
        self.syncing = False
        loss = Loss.RESET if answer["reset"] else None
        if self.consumed is None or loss:
            self._queue.clear()
            self.in_hand = False
            self.seen = self.consumed = self._safe = cursor
        # What waits in the queue may be ahead of the server's position; pages repeat it then.
        self.live = cursor == answer["head"] == self.seen
        page = answer.get("page") if cursor == answer["cursor"] else None
        return (self.on_page(page) if page else None) or loss

    def on_page(self, page: dict[str, Any]) -> Loss | None:
        """Take the events of a page; tells when some before them are gone."""
        self.syncing = False
        loss = None
        if self.seen < page["trimmed_before"] - 1:
            self.seen = page["trimmed_before"] - 1
            loss = Loss.TRIMMED
        for body in page["events"]:
            self._take(Event.of(body))
        self.live = page["done"] and page["next"] == self.seen
        return loss

    def on_event(self, body: dict[str, Any]) -> None:
        """Take a push; one that does not follow shows a hole, which a page will fill."""
        if len(self._queue) >= MAX_QUEUED or not self._take(Event.of(body)):
            self.live = False

    def on_sent(self, sent: Sent, command: dict[str, Any]) -> None:
        """A first `sent` fills its place in the timeline; its event is not pushed to this line."""
        if sent.dup or sent.seq is None or not self.live:
            return
        body = _event_fields(command)
        body |= {"seq": sent.seq, "conv": sent.conv, "n": sent.n, "from": self.user, "ts": sent.ts}
        self.on_event(body)

    def on_head(self, head: int) -> None:
        """The server told its head: a live session that is behind has missed something."""
        if self.live and head > self.seen:
            self.live = False

    def on_offline(self) -> None:
        """The line is gone."""
        self.live = self.syncing = False

    @property
    def wants_page(self) -> bool:
        """Whether it is time to sync after `seen`, which acknowledges everything up to there."""
        if self._durable and self.safe != self.seen:
            return False
        return not (self.live or self.syncing or self._queue)

    @property
    def is_caught_up(self) -> bool:
        """Whether nothing is known that the application has not taken."""
        return self.live and not self._queue

    def take(self) -> Event | None:
        """The next event for the application; asking for it consumes the one before."""
        self.in_hand = bool(self._queue)
        if not self._queue:
            self.consumed = self.seen if self.consumed is not None else None
            return None
        event = self._queue.popleft()
        if self.consumed is not None:
            self.consumed = max(self.consumed, event.seq - 1)
        return event

    def _take(self, event: Event) -> bool:
        """Queue the event if it is the next one; False if it shows a hole."""
        if event.seq == self.seen + 1:
            self._queue.append(event)
            self.seen = event.seq
        return event.seq <= self.seen


# Fields of a change that say where it goes or what it is about.
_ADDRESS: Final = frozenset({"op", "id", "to", "conv", "n"})
_TYPES: Final = {"send": "message", "edit": "edit", "recall": "recall", "react": "reaction"}


def _event_fields(command: dict[str, Any]) -> dict[str, Any]:
    """The event that a change makes, as far as the change itself says it."""
    fields = {name: value for name, value in command.items() if name not in _ADDRESS}
    fields["type"] = _TYPES[command["op"]]
    if "n" in command:
        fields["target"] = command["n"]
    return fields
