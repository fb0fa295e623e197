"""Logs are lines on standard error."""

from __future__ import annotations

import json

import pytest
import structlog

from hivewire import log
from hivewire.config.sections import Log

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def reset():
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
