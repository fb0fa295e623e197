"""Health and metrics over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def test_live_is_always_well(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        assert (await site.http.get("/health/live")).json() == {"status": "live"}

    story(tmp_path, tell)


def test_ready_says_why_not(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        answer = await site.http.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["error"] == {
            "code": "unavailable",
            "message": "starting",
            "retryable": True,
        }
        assert answer.headers["retry-after"] == "1"
        await site.node.start()
        assert (await site.http.get("/health/ready")).status_code == 200

    story(tmp_path, tell)


def test_metrics_are_text_for_prometheus(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.node.start()
        site.node.metrics.puts += 4
        await site.http.get("/health/live")
        answer = await site.http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "hivewire_puts_total 4.0" in answer.text
        line = 'hivewire_http_requests_total{path="/health/live",status="200"} 1.0'
        assert line in answer.text
        assert "hivewire_http_polls 0.0" in answer.text

    story(tmp_path, tell)
