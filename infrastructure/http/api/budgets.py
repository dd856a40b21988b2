"""Budgets: how they stand, set and removed."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ....application.budget_reports import budget_dict, list_budgets, marked_budgets
from ....application.budgets import limit_of, period_of, remove_budget, scope_of
from ....domain.errors import InvalidRequest
from ..failure import Refused
from ..service import Service
from . import bodies
from .access import ADMIN, READ, allowed, sees_budget
from .query import Query
from .replies import json_reply


class Budgets:
    """The endpoints."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._orchestrator = service.orchestrator

    async def listed(self, request: Request) -> Response:
        """What is held, spent and left in each period."""
        identity = allowed(request, READ)
        Query(request)
        found = await marked_budgets(self._orchestrator.store, self._orchestrator.log)
        return json_reply({"budgets": [budget_dict(one) for one in found if sees_budget(identity, one.scope)]})

    async def put(self, request: Request) -> Response:
        """Define or change one."""
        allowed(request, ADMIN)
        scope, period = _named(request)
        given = await bodies.read(self._service, request, bodies.NewBudget)
        alerts = None if given.alerts is None else tuple(sorted(set(given.alerts)))
        limit = limit_of(str(given.limit))
        return json_reply(budget_dict(await self._orchestrator.set_budget(scope, limit, period=period, alerts=alerts)))

    async def delete(self, request: Request) -> Response:
        """Lift one; what was spent stays in the log."""
        allowed(request, ADMIN)
        scope, period = _named(request)
        store = self._orchestrator.store
        try:
            if not await list_budgets(store, scope, period):
                raise InvalidRequest(scope)
            await remove_budget(store, self._orchestrator.log, scope, period)
        except InvalidRequest:
            text = f"there is no budget {scope} ({period}): GET /budgets lists them"
            raise Refused(404, "not_found", text) from None
        return json_reply({"scope": scope, "period": period, "removed": True})


def _named(request: Request) -> tuple[str, str]:
    """Scope and period of the address. Raises InvalidRequest."""
    Query(request)
    return scope_of(request.path_params["scope"]), period_of(request.path_params["period"])
