"""Logs go to standard error; standard output belongs to the `ready` line and to what was asked for.

Events are short sentences with values beside them; what the values are called everywhere is in
docs/operations.md. Tokens, tickets, secrets and message bodies are never logged: nothing here sees
them, and nobody may pass them in.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from hivewire.config.sections import Log

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
REQUEST: Final[ContextVar[str | None]] = ContextVar("request", default=None)
"""The id of the HTTP request that is being answered. To be read in the task of that request only:
timers and tasks that it started have it too, and may long do something else."""


def configure(settings: Log) -> None:
    """Set structlog up for this process: level and format as the settings say."""
    console = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            stamp,
            *renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[settings.level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        # A reload may change the level: a logger that was kept would not hear of it.
        cache_logger_on_first_use=False,
    )
    # Libraries log warnings and errors with `logging`. An application that sets that up itself gets
    # them its own way.
    logging.lastResort = _Foreign(stamp, renderer)


class _Foreign(logging.Handler):
    """Writes what libraries log, as our own lines, with the name of their `logger`."""

    def __init__(self, stamp: structlog.processors.TimeStamper, renderer: list[Any]) -> None:
        super().__init__(logging.WARNING)
        std = structlog.stdlib
        self.formatter = std.ProcessorFormatter(
            foreign_pre_chain=[std.add_log_level, std.add_logger_name, stamp],
            processors=[std.ProcessorFormatter.remove_processors_meta, *renderer],
        )

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - as every handler: a line is worth less than its writer
            self.handleError(record)
