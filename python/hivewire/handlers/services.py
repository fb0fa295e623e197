"""What handlers work with: the same for all of them, made once at start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hivewire.handlers.granted import Granted
from hivewire.handlers.told import connected_format

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.auth import Verifier
    from hivewire.auth.keyring import Source
    from hivewire.config import Settings
    from hivewire.core.view import View
    from hivewire.delivery import Caller, Delivery
    from hivewire.handlers.rates import Rates
    from hivewire.hooks.bridge import Bridge
    from hivewire.metrics import Metrics
    from hivewire.presence import Presence
    from hivewire.push import Pusher


@dataclass(slots=True)
class Services:
    """The node as a handler sees it. Times are milliseconds, read once a turn."""

    settings: Settings
    view: View
    delivery: Delivery
    verifier: Verifier
    rates: Rates
    metrics: Metrics
    ticket_secret: bytes
    limits: dict[str, Any]
    """What `connected` tells; see `told.limits_of`."""
    close_codes: dict[str, int]
    heartbeat_range: tuple[int, int]
    devices: Callable[[str], list[str]]
    """Names of the devices with which a user is connected."""
    presence: Presence
    move_cursor_soon: Callable[[], None]
    """Sees to it that moved cursors are written within `store.cursor_delay`."""
    resume: Callable[[Caller], None] = field(init=False)
    """Runs the commands of a caller that is no longer busy; the gateway's."""
    replace: Callable[[str, str, int], None] = field(init=False)
    """Tells what waits of a device's older connections that a newer one has `connected`; the same
    one's."""
    later: Callable[[Callable[[], None]], None] = lambda work: work()
    """Runs a piece of a long work when everybody else has had a turn and all is durable again."""
    act: Callable[[Callable[[], None]], None] = lambda work: work()
    """Does something between two turns, and lets out what came of it."""
    fetch_keys: Callable[[Source, Callable[[bool], None]], None] = lambda _, settled: settled(
        False  # noqa: FBT003 - a callback's only word: nothing was fetched
    )
    """Fetches the keys of an issuer, and tells whether that brought any."""
    now_ms: int = 0
    """The wall clock at the beginning of this turn."""
    hooks: Bridge | None = None
    """The application, if there is one."""
    push: Pusher | None = None
    """Delivers pushes, if this node does."""
    connected: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """Connections that got `connected` in this turn, by user and device: what an older one says
    in the same turn no longer counts."""
    connecting: dict[str, list[tuple[str, int]]] = field(
        default_factory=dict[str, list[tuple[str, int]]]
    )
    """By user, the devices whose `connect` waits for its answer, and on which connection."""
    usual_heartbeat: Granted = field(init=False)
    """What is granted to who has no wish."""
    connected_format: bytes = field(init=False)
    """Every `connected`, with what is the same in all of them encoded once."""

    def __post_init__(self) -> None:
        """Encode what never changes."""
        epoch, node = self.view.store.epoch, self.settings.node.name
        ours = self.settings.heartbeat
        self.usual_heartbeat = Granted(ours.interval, ours.timeout, from_client=False)
        self.connected_format = connected_format(epoch, self.limits, node)
