"""Logs are lines on standard error."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from hivewire import log
from hivewire.config.sections import Log

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def reset(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logging, "lastResort", None)
    yield
    structlog.reset_defaults()


def test_json_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(Log(level="info", format="json"))
    logger = structlog.get_logger()
    logger.debug("not told")
    logger.info("node started", shards=2)
    captured = capsys.readouterr()
    line = json.loads(captured.err)
    assert (line["event"], line["shards"], line["level"]) == ("node started", 2, "info")
    assert captured.out == ""


def test_console_lines_read_well(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(Log(level="warning", format="console"))
    structlog.get_logger().warning("disk is slow", milliseconds=12)
    assert "disk is slow" in capsys.readouterr().err


def test_what_libraries_log_is_a_line_like_ours(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(Log(level="info", format="json"))
    handler = logging.lastResort
    assert handler is not None
    error = ValueError("a bug")
    record = logging.LogRecord(
        *("uvicorn.error", logging.ERROR, __file__, 1, "it %s", ("failed",)),
        (ValueError, error, None),
    )
    handler.handle(record)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["logger"], line["level"]) == ("it failed", "uvicorn.error", "error")
    assert "a bug" in line["exception"]
    assert line["timestamp"].endswith("Z")
    assert handler.level == logging.WARNING


def test_a_line_that_cannot_be_written_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    log.configure(Log(format="json"))
    monkeypatch.setattr(logging, "raiseExceptions", False)
    assert logging.lastResort is not None
    bad = logging.LogRecord("a", logging.ERROR, __file__, 1, "%d", ("no number",), None)
    logging.lastResort.handle(bad)
