"""`/health/live`, `/health/ready` and `/metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from starlette.responses import Response

from hivewire.api.endpoint import Asked, Endpoint, Who
from hivewire.api.errors import ApiError
from hivewire.metrics import CONTENT_TYPE

if TYPE_CHECKING:
    from hivewire.api.context import Context


class Health(Struct):
    """How the node is."""

    status: str


def endpoints(context: Context) -> list[Endpoint]:
    """What load balancers and Prometheus ask for."""

    async def live(_asked: Asked) -> Health:
        """200 as long as the loop runs: who gets no answer may restart the node."""
        return Health("live")

    async def ready(_asked: Asked) -> Health:
        """200 when new connections may be sent here, else 503 with the reason."""
        reason = context.why_not_ready()
        if reason is not None:
            raise ApiError("unavailable", reason, retryable=True)
        return Health("ready")

    async def scrape(_asked: Asked) -> Response:
        """Everything counted, in the Prometheus text format."""
        return Response(context.metrics.render(), media_type=CONTENT_TYPE)

    return [
        Endpoint("GET", "/health/live", "Does the node run?", live, Who.ANYONE, gives=Health),
        Endpoint(
            *("GET", "/health/ready", "Does it take connections?", ready, Who.ANYONE),
            gives=Health,
            refuses=("unavailable",),
        ),
        Endpoint(
            *("GET", "/metrics", "Figures for Prometheus.", scrape, Who.ANYONE),
            media_type="text/plain",
        ),
    ]
