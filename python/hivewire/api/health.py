"""`/health/live`, `/health/ready` and `/metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hivewire.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from hivewire.metrics import Metrics


def routes(metrics: Metrics, why_not_ready: Callable[[], str | None]) -> list[Route]:
    """The routes; `why_not_ready` says None when the node may get new connections."""

    async def live(_request: Request) -> Response:
        """200 as long as the loop runs: who gets no answer may restart the node."""
        return JSONResponse({"status": "live"})

    async def ready(_request: Request) -> Response:
        """200 when new connections may be sent here, else 503 with the reason."""
        reason = why_not_ready()
        if reason is None:
            return JSONResponse({"status": "ready"})
        error = {"code": "unavailable", "message": reason, "retryable": True}
        return JSONResponse({"error": error}, status_code=503, headers={"Retry-After": "1"})

    async def scrape(_request: Request) -> Response:
        """Everything counted, in the Prometheus text format."""
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    return [
        Route("/health/live", live),
        Route("/health/ready", ready),
        Route("/metrics", scrape),
    ]
