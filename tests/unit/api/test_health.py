"""Health and metrics over HTTP."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from hivewire.api.listener import make_app
from hivewire.metrics import Metrics

pytestmark = pytest.mark.unit


def get(path: str, metrics: Metrics, reason: str | None = None) -> httpx.Response:
    async def fetch() -> httpx.Response:
        transport = httpx.ASGITransport(make_app(metrics, lambda: reason))
        async with httpx.AsyncClient(transport=transport, base_url="http://node") as http:
            return await http.get(path)

    return asyncio.run(fetch())


def test_live_is_always_well() -> None:
    assert get("/health/live", Metrics(), "draining").json() == {"status": "live"}


def test_ready_says_why_not() -> None:
    assert get("/health/ready", Metrics()).status_code == 200
    answer = get("/health/ready", Metrics(), "draining")
    assert answer.status_code == 503
    assert answer.json()["error"] == {
        "code": "unavailable",
        "message": "draining",
        "retryable": True,
    }
    assert answer.headers["retry-after"] == "1"


def test_metrics_are_text_for_prometheus() -> None:
    metrics = Metrics()
    metrics.puts += 4
    answer = get("/metrics", metrics)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "hivewire_puts_total 4.0" in answer.text
