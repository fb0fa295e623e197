"""Settings of the application's hooks (docs/hooks.md)."""

from __future__ import annotations

from hivewire.config.sections import Section, setting
from hivewire.config.units import Duration  # noqa: TC001 - pydantic reads it at run time


class Hooks(Section):
    """What an application's functions may take. Nothing of it counts for a node without one."""

    timeout: Duration = setting(
        "5s",
        "How long a hook may take; then its client is told `unavailable`. `authenticate` and "
        "`on_connect` get two fifths of `limits.opening_time` each, if that is less.",
        more="Clients wait for longer when the application hangs.",
        less="Hooks that ask other services fail when those are slow.",
        ge=10,
        le=300_000,
    )
    concurrency: int = setting(
        1000,
        "Clients that wait for a hook at once; further ones are told `unavailable`.",
        more="Memory, and load on what the hooks ask.",
        less="Clients are refused in short spikes.",
        ge=1,
    )
    workers: int = setting(
        16,
        "Calls of `on_event` and `on_offline` at once, and as many of `on_disconnect`; never two "
        "for one conversation or one user.",
        more="Load on what the hooks ask.",
        less="Notices queue behind slow hooks.",
        ge=1,
        le=10_000,
    )
    queue: int = setting(
        10_000,
        "Notices (`on_event`, `on_offline`) that wait for their hook; further ones are dropped, "
        "counted and logged.",
        more="Memory, about 2 KiB each, and later notices when the hooks are slow.",
        less="Notices are lost in short spikes.",
        ge=1,
    )
