"""What was spent, on what: by dimension and period, as a picture, a table and CSV; each line leads to its runs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from starlette.responses import Response

from ....application.charts import Chart, chart_svg
from ....application.cost_reports import (
    DIMENSIONS,
    HEADINGS,
    NO_LABEL,
    CostLine,
    CostQuestion,
    CostSection,
    cost_charts,
    cost_report,
    grouping_of,
    periods_of,
    section_chart,
    split_of,
)
from ....application.dates import Calendar
from ....application.filters import parse_filter
from ....application.read_models import ReadModels
from ....domain.errors import InvalidRequest
from ....domain.filters import CALL_FIELDS
from ....domain.units import Timestamp
from ... import exports
from .desk import HEADERS, Desk
from .spans import Span
from .visit import Visit
from .words import address, equals, without_each

TAG = "tag:"
SHOWN = 500  # lines on the page; CSV has all
LISTED = ("category", "strategy", "model", "provider", "owner")  # what runs can be listed by too


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A report's question, and the words it was asked in."""

    question: CostQuestion
    span: Span
    by: str
    split: str | None
    wheres: Sequence[str]

    @classmethod
    def of(cls, visit: Visit, now: Timestamp) -> Asked:
        """Raises InvalidRequest."""
        by = visit.asked("by") or "model"
        tag = visit.asked("tag")
        split = split_of(visit.asked("split") or None)
        span = Span.of(visit.asked("time") or "30d", now)
        wheres = visit.listed("where")
        calendar = Calendar(now, UTC)
        conditions = tuple(parse_filter(text, CALL_FIELDS, calendar) for text in wheres)
        question = CostQuestion(
            now=now,
            zone=UTC,
            dates=span.dates,
            by=grouping_of(f"{TAG}{tag}" if by == "tag" else by),
            split=split,
            conditions=(*visit.owned, *conditions),
        )
        return cls(question=question, span=span, by=by, split=split, wheres=wheres)

    def read(self, models: ReadModels) -> tuple[list[CostSection], list[Chart]]:
        """The report, and its pictures: one a kind of money."""
        sections = cost_report(models, self.question)
        if not sections:
            return [], []
        if self.split is None:
            return sections, cost_charts(models, replace(self.question, split=self.span.split))
        keys = tuple(one.key for one in periods_of(models, self.question, self.split))
        return sections, [section_chart(self.question, one, keys) for one in sections]

    def link(self, line: CostLine) -> str | None:
        """The runs behind a line; None where runs cannot be listed by its labels."""
        labels = line.labels[1:] if self.split else line.labels
        found = list(self.wheres)
        for name, label in zip(self.question.by, labels, strict=True):
            if label is None or not (name in LISTED or name.startswith(TAG)):
                return None
            found.append(equals(name, label))
        if self.split:
            found.append(f"started = {line.labels[0]}")
        return address("/dashboard/runs", time=self.span.name, where=found)


class CostsPage:
    """`/dashboard/costs` and `/dashboard/costs.csv`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> Response:
        """The report; what cannot be asked is told above an empty one."""
        sections: list[dict[str, Any]] = []
        problem, dimensions = "", tuple[str, ...]()
        try:
            asked = Asked.of(visit, self._desk.orchestrator.clock.now())
            found, charts = await self._desk.ask(asked.read)
            dimensions = asked.question.dimensions
            sections = [_section(asked, one, chart) for one, chart in zip(found, charts, strict=False)]
        except InvalidRequest as error:
            problem = str(error)
        words = {name: visit.asked(name) for name in ("by", "tag", "split", "time")}
        wheres = visit.listed("where")
        return await self._desk.page(
            visit,
            "costs.html",
            status=400 if problem else 200,
            problem=problem,
            sections=sections,
            dimensions=dimensions,
            asked=words,
            wheres=wheres,
            without=without_each("/dashboard/costs", wheres, **words),
            csv=address("/dashboard/costs.csv", **words, where=wheres),
            choices=DIMENSIONS,
            most=SHOWN,
            none=NO_LABEL,
        )

    async def csv(self, visit: Visit) -> Response:
        """Every line, as `costs report --csv` has them."""
        asked = Asked.of(visit, self._desk.orchestrator.clock.now())
        sections = await self._desk.ask(lambda models: cost_report(models, asked.question))
        file = io.BytesIO()
        figures = [exports.Column("cost", exports.Kind.MONEY)]
        figures += [exports.Column(name, exports.Kind.INTEGER) for name in ("calls", "unknown")]
        figures += [exports.Column("before", exports.Kind.MONEY)]
        columns = [*(exports.Column(name) for name in ("money", *asked.question.dimensions)), *figures]
        rows = (
            (one.money.value, *line.labels, line.cost, line.calls, line.unknown, line.before)
            for one in sections
            for line in one.lines
        )
        exports.export(rows, exports.writer("csv", file, columns))
        headers = {**HEADERS, "content-disposition": 'attachment; filename="costs.csv"'}
        return Response(file.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _section(asked: Asked, section: CostSection, chart: Chart) -> dict[str, Any]:
    lines = section.lines[:SHOWN]
    return {
        "money": section.money.value,
        "heading": HEADINGS[section.money],
        "total": section.total,
        "before": section.before,
        "calls": sum(line.calls for line in section.lines),
        "unknown": sum(line.unknown for line in section.lines),
        "largest": max((line.cost for line in lines), default=0),
        "count": len(section.lines),
        "lines": [(line, asked.link(line)) for line in lines],
        "compared": any(line.before is not None for line in lines),
        "chart": chart_svg(chart, id=f"costs-{section.money.value}", styled=False),
    }
