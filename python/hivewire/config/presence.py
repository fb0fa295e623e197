"""The settings of presence."""

from __future__ import annotations

from hivewire.config.sections import Section, setting
from hivewire.config.units import Duration  # noqa: TC001 - pydantic reads it


class Presence(Section):
    """Who is seen as online, and how others are told."""

    linger: Duration = setting(
        "20s",
        "How long a device still counts as it was after its line has ended, up to a quarter more "
        "by chance, so that those who were cut off together do not go offline in one moment.",
        more="Users look online after they left.",
        less="Short losses of the line show, and a phone in a tunnel makes pushes.",
        le=600_000,
    )
    gather: Duration = setting(
        "500ms",
        "How long changes are gathered: one that is undone meanwhile is never told, and so far "
        "apart are two pushes to one connection.",
        more="Changes show later.",
        less="More and smaller pushes.",
        ge=20,
        le=10_000,
    )
    changes_per_watcher: int = setting(
        100,
        "Users told to one connection in a second, sustained; the newest state of the others "
        "follows.",
        more="A phone that watches many is woken by more bytes when many come or go.",
        less="Changes show later when many come or go at once.",
        ge=1,
    )
    changes_per_second: int = setting(
        20_000,
        "The same of all connections together.",
        more="Messages wait behind presence when many come or go at once.",
        less="Changes show later then.",
        ge=50,
    )
    watched: int = setting(
        1_000_000,
        "Watched users of all connections together; beyond it `watch` is `unavailable`.",
        more="About 150 bytes each.",
        less="Users of large contact lists see nobody's presence.",
        ge=1,
    )
