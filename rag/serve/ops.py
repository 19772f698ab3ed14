"""Routes for those who run the server: is it up, is it ready, what does it do."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from rag.serve.host import Host


def routes(host: Host) -> APIRouter:
    """`/health`, `/ready` and `/metrics`."""
    router = APIRouter(tags=["operations"])

    @router.get("/health")
    @router.head("/health", include_in_schema=False)
    async def health() -> JSONResponse:
        """The process is up."""
        return JSONResponse({"status": "ok"})

    @router.get("/ready")
    @router.head("/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        """Every knowledge base is loaded and the model is warm; 503 before that, and once the server is stopping."""
        state = host.state
        return JSONResponse({"status": state}, status_code=200 if state == "ready" else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        """Prometheus metrics."""
        return Response(host.metrics.text(), media_type=host.metrics.content_type)

    return router
