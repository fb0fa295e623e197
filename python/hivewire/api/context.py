"""The node as the routes of the api see it: made once at start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hivewire.api.access import Access
    from hivewire.api.calls import Calls
    from hivewire.api.polls import Polls
    from hivewire.config import Settings
    from hivewire.delivery.trace import Trace
    from hivewire.handlers import Services
    from hivewire.media import Media
    from hivewire.metrics import Metrics

Passage = tuple[str, str, str | None, int, int]
"""A device, the way on which it is reached, with what fate, since when, and when its session ended;
see `Engine.passages` in the engine's stub."""


@dataclass(slots=True)
class Context:
    """What a route works with. A call that changes or shows chat goes through `calls`."""

    settings: Settings
    services: Services
    calls: Calls
    polls: Polls
    access: Access
    metrics: Metrics
    why_not_ready: Callable[[], str | None]
    """None when the node takes connections, else the reason."""
    sessions: Callable[[str], list[tuple[int, str]]]
    """A user's connections, each with the name of its device."""
    connections: Callable[[], int]
    """How many connections are open."""
    users: Callable[[], list[str]]
    """Every user who has a connection."""
    trace: Trace
    passages: Callable[[str, int], list[Passage]]
    """How far each device of a user was reached by a submission to the engine."""
    edge: Callable[[], str]
    """Where the edge listens, `HOST:PORT`; empty before it does."""
    media: Media
    clock_ms: Callable[[], int]
    """The wall clock, in milliseconds."""
    store_media: Callable[[str, bytes], Awaitable[str]] | None = None
    """Stores a file of a user; the id that messages name it by. None: nothing takes files."""
    media_url: Callable[[str], str] = "/api/v1/media/{}".format
    """Where a file is, by its id."""
