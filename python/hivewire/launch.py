"""From a command line to settings and an application; read once at start, again by a reload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hivewire import handover, log
from hivewire.app import Node
from hivewire.auth import dev_settings
from hivewire.config import load
from hivewire.config.fixed import keep_fixed
from hivewire.foundation import verifier_for
from hivewire.hooks import bridge
from hivewire.hooks.finding import find_app

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from hivewire.config import Settings
    from hivewire.hooks import App


class Launch(NamedTuple):
    """What `serve` was told on its command line."""

    spec: str | None = None
    """`package.module:object` of the application."""
    config: Path | None = None
    flags: dict[str, dict[str, object]] = {}  # noqa: RUF012 - never changed
    """Sections of settings, for `load`."""
    dev: bool = False


class Prepared(NamedTuple):
    """A node to be: all that can fail without a running one has been done."""

    settings: Settings
    application: App | None
    kept: list[str]
    """Settings that differ now and stay as they were until the next start."""
    node: type[Node]
    begin: Callable[[Any, Any], Awaitable[None]]
    """Runs the application's `on_start`, with a sender."""
    version: int
    """Of the `Handover` that the node takes."""


def prepare(launch: Launch, running: Settings) -> Prepared:
    """Read settings and application anew.

    Raises:
        Exception: ConfigError, KeyProblem, AppNotFound, or whatever the application's module does.
    """
    settings = load(launch.config, **launch.flags)
    if launch.dev:
        settings = settings.developed()
    settings, kept = keep_fixed(running, settings)
    if launch.dev:
        settings = dev_settings(settings)
    application = None if launch.spec is None else find_app(launch.spec)
    verifier_for(settings, application)
    log.configure(settings.log)
    return Prepared(settings, application, kept, Node, bridge.begin, handover.VERSION)
