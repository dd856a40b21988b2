"""The addresses of the native API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..service import Service
from .budgets import Budgets
from .events import Events, EventStream
from .openapi import document
from .query import Query
from .replies import Questions, json_reply
from .reports import Reports
from .runs import Runs
from .starting import Starting

Endpoint = Callable[[Request], Awaitable[Response]]


def api_routes(service: Service) -> list[Route]:
    """The routes over one worker's service."""
    questions = Questions()
    runs, reports, budgets = Runs(service, questions), Reports(service, questions), Budgets(service)
    return [
        _route("/runs", GET=runs.listed, POST=Starting(service).start),
        _route("/runs/{run}", GET=runs.shown),
        _route("/runs/{run}/events", GET=runs.events),
        _route("/runs/{run}/cancel", POST=runs.cancel),
        _route("/events", GET=Events(service).listed),
        Route("/events/stream", EventStream(service), methods=["GET"]),
        _route("/costs", GET=reports.costs),
        _route("/costs.csv", GET=reports.costs_csv),
        _route("/stats/models", GET=reports.model_stats),
        _route("/models", GET=reports.models),
        _route("/budgets", GET=budgets.listed),
        _route("/budgets/{scope:path}/{period}", PUT=budgets.put, DELETE=budgets.delete),
        _route("/feedback", POST=runs.feedback),
        _route("/openapi.json", GET=_described),
    ]


def _route(path: str, **endpoints: Endpoint) -> Route:
    """One route for all methods of an address, so that a refusal of another method can name them."""

    async def endpoint(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, endpoint, methods=list(endpoints))


async def _described(request: Request) -> Response:
    """What there is."""
    Query(request)
    return json_reply(document())
