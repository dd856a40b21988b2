"""Runs: started, listed, shown, cancelled, and what people say of them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ....application.asking import conditions_of
from ....application.cost_reports import span_of
from ....application.event_documents import event_dict
from ....application.privacy import erasure_of
from ....application.run_documents import run_dict, run_document
from ....application.runs import LoggedRun, cancel_run, load_run
from ....domain.filters import RUN_FIELDS
from ....domain.run import RunStatus
from ....domain.units import fraction
from ..authentication import Identity
from ..failure import Refused
from ..service import Service
from . import bodies
from .access import READ, RUN, allowed, own, seen
from .cursors import Cursors
from .query import ROWS, Query
from .replies import Questions, json_reply

PAGE, MOST = 50, 500  # runs


class Runs:
    """The endpoints under /runs that start nothing, and /feedback."""

    def __init__(self, service: Service, questions: Questions) -> None:
        self._service = service
        self._orchestrator = service.orchestrator
        self._questions = questions
        self._cursors = Cursors(lambda: service.orchestrator.store.content_secret())

    async def listed(self, request: Request) -> Response:
        """A page, newest first. A cursor goes on in the list as it was asked for first: 7d stays the same days."""
        identity = allowed(request, READ)
        query = Query(request, *ROWS, "limit", "cursor")
        limit = query.whole("limit", PAGE, least=1, most=MOST)
        asked = ["runs", None if identity.sees_all else identity.owner, query.rows()]
        now, place = self._orchestrator.clock.now(), None
        if (cursor := query.text("cursor")) is not None:
            now, *after = await self._cursors.read(asked, cursor)
            place = (after[0], after[1])
        reading = query.calendar(now)
        span = span_of(reading.between(query.text("since"), query.text("until")))
        conditions = (*own(identity, RUN_FIELDS), *conditions_of(query.texts("where"), RUN_FIELDS, reading))
        models = self._orchestrator.read_models
        rows = await self._questions.ask(
            lambda: list(models.runs(span=span, conditions=conditions, limit=limit + 1, after=place))
        )
        last = rows[limit - 1] if len(rows) > limit else None
        more = None if last is None else await self._cursors.write(asked, [now, last.started_at, last.run])
        return json_reply({"runs": [run_dict(row) for row in rows[:limit]], "next": more})

    async def shown(self, request: Request) -> Response:
        """One run with its texts."""
        logged = await self._found(request, allowed(request, READ))
        return json_reply(await run_document(self._orchestrator.store, self._orchestrator.log, logged))

    async def events(self, request: Request) -> Response:
        """Its events as they are stored, and the one that erased its texts."""
        logged = await self._found(request, allowed(request, READ))
        erased = await erasure_of(self._orchestrator.store, self._orchestrator.log, logged.run.id)
        entries = [*logged.events, *([erased] if erased else ())]
        return json_reply({"events": [event_dict(entry.envelope) for entry in entries]})

    async def cancel(self, request: Request) -> Response:
        """End it; a call that already left is still paid and recorded."""
        identity = allowed(request, RUN)
        run = (await self._found(request, identity)).run
        if run.status is not RunStatus.RUNNING:
            raise Refused(409, "conflict", f"{run.id} is not under way: it is {run.status.value}")
        await cancel_run(self._orchestrator.log, run.id, by=identity.owner)
        return json_reply({"run_id": run.id, "status": "cancelled"})

    async def feedback(self, request: Request) -> Response:
        """Say how good its answer was; of each who says something, the last word stands."""
        identity = allowed(request, RUN)
        Query(request)
        given = await bodies.read(self._service, request, bodies.NewFeedback)
        run = seen(identity, await load_run(self._orchestrator.log, given.run_id)).run
        if run.status is not RunStatus.COMPLETED:
            raise Refused(409, "conflict", f"{run.id} has no answer to say anything of: it is {run.status.value}")
        by = given.by or identity.owner
        new = await self._orchestrator.feedback(run.id, given.value, by=by, note=given.note)
        value = new[0].value if new else next(one.value for one in reversed(run.feedback) if one.by == by)
        return json_reply({"run_id": run.id, "value": fraction(value), "by": by, "new": bool(new)})

    async def _found(self, request: Request, identity: Identity) -> LoggedRun:
        """The run of the address."""
        Query(request)
        run_id = request.path_params["run"]
        if not bodies.is_run(run_id):
            raise Refused(404, "run_not_found", f"{run_id[:64]!r} is no run's id, such as run-01a20e94-1259-744b-...")
        return seen(identity, await load_run(self._orchestrator.log, run_id))
