"""Every address but the two that answer, routed by Starlette."""

from __future__ import annotations

import asyncio
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from ... import __version__
from ...domain.errors import OrchestratorError, StoreError
from ...domain.events import KeyScope
from ..telemetry.prometheus import CONTENT_TYPE, ServiceNow, metrics_page
from .api.routes import api_routes
from .asgi import Receive, Scope, Send
from .dashboard.routes import dashboard_routes
from .failure import Refused
from .service import Service


def router(service: Service) -> Router:
    """The routes, over one worker's service. What has no route raises Refused, or HTTPException for its method."""
    routes = [
        Route("/healthz", healthz),
        Route("/readyz", _Ready(service).answer),
        Route("/metrics", _Metrics(service).answer),
        Route("/v1/models", _Models(service).listed),
        Route("/v1/models/{name:path}", _Models(service).one),
        *api_routes(service),
        *dashboard_routes(service),
    ]
    return Router(routes, default=_nothing, redirect_slashes=False)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    raise Refused(404, "not_found", "there is nothing at this address: GET /openapi.json lists what there is")


async def healthz(request: Request) -> Response:
    """The process lives."""
    return JSONResponse({"status": "ok"})


class _Ready:
    """Whether runs can be taken now."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def answer(self, request: Request) -> Response:
        """200 where the store answers and the worker is not stopping; else 503."""
        if self._service.stopping.is_set():
            return JSONResponse({"status": "stopping"}, status_code=503)
        try:
            async with asyncio.timeout(5):
                await self._service.orchestrator.store.head()
        except (TimeoutError, StoreError) as error:
            kind = error.kind if isinstance(error, OrchestratorError) else "store_unavailable"
            return JSONResponse({"status": kind}, status_code=503)
        return JSONResponse({"status": "ready"})


class _Metrics:
    """The figures of everybody who uses the database."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def answer(self, request: Request) -> Response:
        """In Prometheus' text format. Raises Refused for who may not see everybody's."""
        request.state.identity.need(KeyScope.ADMIN)
        orchestrator = self._service.orchestrator
        now = ServiceNow(
            version=__version__, runs_in_flight=len(self._service.runs), appends_waiting=orchestrator.store.appending
        )
        page = await metrics_page(orchestrator.store, orchestrator.read_models, orchestrator.clock, now)
        return Response(page, media_type=CONTENT_TYPE)


class _Models:
    """The names that `model` may have, in the shape of both vendors' lists."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._created = int(time.time())

    async def listed(self, request: Request) -> Response:
        """All of them."""
        data = [self._shown(one.id, one.owner) for one in self._service.names.offered(request.state.identity.caller)]
        ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"], "has_more": False}
        return JSONResponse({"object": "list", "data": data, **ends})

    async def one(self, request: Request) -> Response:
        """One of them. Raises Refused with 404."""
        name = request.path_params["name"]
        self._service.names.options(name)
        owner = next((one.owner for one in self._service.names.offered() if one.id == name), "model-orchestrator")
        return JSONResponse(self._shown(name, owner))

    def _shown(self, name: str, owner: str) -> dict[str, object]:
        return {
            "id": name,
            "object": "model",
            "created": self._created,
            "owned_by": owner,
            "type": "model",
            "display_name": name,
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._created)),
        }
