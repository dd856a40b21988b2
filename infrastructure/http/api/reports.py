"""Costs, how models do, and which there are."""

from __future__ import annotations

import io

from starlette.requests import Request
from starlette.responses import Response

from ....application.asking import conditions_of, cost_question
from ....application.cost_documents import cost_report_cells, cost_report_dict, cost_report_rows
from ....application.cost_reports import CostQuestion, CostSection, cost_report, grouping_of, span_of, split_of
from ....application.model_figures import by_money, stats_dict
from ....domain.errors import InvalidRequest
from ....domain.filters import CALL_FIELDS, MODEL_FIELDS
from ....domain.units import Timestamp
from ...availability import availability
from ...breaker_states import breaker_states
from ...exports import Column, Kind, export, writer
from ...model_documents import model_document
from ..service import Service
from .access import READ, RUN, allowed, own
from .query import ROWS, Query
from .replies import Questions, json_reply

FORMATS = ("json", "csv")


class Reports:
    """The endpoints."""

    def __init__(self, service: Service, questions: Questions) -> None:
        self._service = service
        self._orchestrator = service.orchestrator
        self._questions = questions

    async def costs(self, request: Request) -> Response:
        """What was spent, by whatever is asked, against the time before."""
        query = Query(request, *ROWS, "by", "period", "as_of", "format")
        format_ = query.text("format") or "json"
        if format_ not in FORMATS:
            raise InvalidRequest(f"format {format_[:40]!r} is not possible: expected {' or '.join(FORMATS)}")
        question, sections = await self._costs(request, query)
        if format_ == "csv":
            return _csv(question, sections)
        return json_reply(cost_report_dict(question.dimensions, sections))

    async def costs_csv(self, request: Request) -> Response:
        """The same as CSV."""
        return _csv(*await self._costs(request, Query(request, *ROWS, "by", "period", "as_of")))

    async def _costs(self, request: Request, query: Query) -> tuple[CostQuestion, list[CostSection]]:
        identity = allowed(request, READ)
        split, by = split_of(query.text("period")), query.text("by")
        grouping = grouping_of(by) if by is not None else () if split else ("model",)
        question, then = cost_question(
            query.calendar(self._orchestrator.clock.now()),
            since=query.text("since"),
            until=query.text("until"),
            where=query.texts("where"),
            as_of=query.text("as_of"),
            by=grouping,
            split=split,
            own=own(identity, CALL_FIELDS),
        )
        return question, await self._questions.ask(lambda: self._report(question, then))

    def _report(self, question: CostQuestion, then: Timestamp | None) -> list[CostSection]:
        models = self._orchestrator.read_models
        return cost_report(models if then is None else models.as_of(then), question)

    async def model_stats(self, request: Request) -> Response:
        """How each model does, each kind of money on its own."""
        identity = allowed(request, READ)
        query = Query(request, *ROWS)
        reading = query.calendar(self._orchestrator.clock.now())
        span = span_of(reading.between(query.text("since"), query.text("until")))
        conditions = (*own(identity, MODEL_FIELDS), *conditions_of(query.texts("where"), MODEL_FIELDS, reading))
        models = self._orchestrator.read_models
        found = await self._questions.ask(lambda: models.model_stats(span=span, conditions=conditions))
        return json_reply({money: [stats_dict(one) for one in of_money] for money, of_money in by_money(found).items()})

    async def models(self, request: Request) -> Response:
        """The catalogue: prices, and which models can be asked now or why not."""
        allowed(request, READ, RUN)
        Query(request)
        orchestrator, settings = self._orchestrator, self._service.settings
        provider, catalogue = orchestrator.provider_name(), orchestrator.catalogue()
        _, excluded = availability(catalogue, settings, provider)
        why = {exclusion.model: exclusion for exclusion in excluded}
        held = await breaker_states(settings, catalogue.models) if provider == "live" else {}
        rows = [model_document(one, why.get(one.name), held.get(one.name)) for one in catalogue.models]
        return json_reply({"catalogue": catalogue.name, "provider": provider, "models": rows})


def _csv(question: CostQuestion, sections: list[CostSection]) -> Response:
    columns = [Column(name, Kind(kind)) for name, kind in cost_report_cells(question.dimensions)]
    file = io.BytesIO()
    export(cost_report_rows(sections), writer("csv", file, columns))
    return Response(file.getvalue(), 200, {"content-disposition": 'attachment; filename="costs.csv"'}, "text/csv")
