"""The list of runs: found by words and conditions, sorted, and read page by page from where the last one ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import islice

from starlette.responses import Response

from ....application.dates import Calendar
from ....application.filters import parse_filter
from ....application.read_models import ReadModels
from ....domain.errors import InvalidRequest
from ....domain.events import Money
from ....domain.filters import RUN_FIELDS, Condition, Search, touched
from ....domain.strategies import STRATEGIES
from ....projections.run_report import RunRow
from .desk import Desk
from .spans import Span
from .visit import Visit
from .words import address, equals, without_each

A_PAGE = 50
SORTS = {"newest": "Newest first", "oldest": "Oldest first", "cost": "Dearest first"}
COUNTED = ("category", "strategy", "money", "status")
STATUSES = RUN_FIELDS["status"].choices
_PLACE = re.compile(r"(-?\d{1,19})~(run-[\w-]{1,80})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: behind this run. `figure` is its start in microseconds, or its cost in picodollars."""

    figure: int
    run: str

    @classmethod
    def of(cls, text: str) -> Place | None:
        """Raises InvalidRequest for one that is not ours."""
        if not text:
            return None
        found = _PLACE.fullmatch(text)
        if found is None or not -(2**63) <= int(found[1]) < 2**63:
            raise InvalidRequest("this page's place is not known: go back to the first page")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.figure}~{self.run}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the list is about."""

    span: Span
    sort: str
    after: Place | None
    conditions: tuple[Condition, ...]

    def rows(self, models: ReadModels) -> tuple[list[RunRow], Place | None]:
        """One page, and where the next one begins; None: there is none."""
        if not self._is_possible(models):
            return [], None
        after = None if self.after is None else (self.after.figure, self.after.run)
        if self.sort == "cost":
            listed = models.dearest_runs(
                span=self.span.range, conditions=self.conditions, limit=A_PAGE + 1, after=after
            )
        else:
            listed = models.runs(
                span=self.span.range,
                conditions=self.conditions,
                limit=A_PAGE + 1,
                oldest_first=self.sort == "oldest",
                after=after,
            )
        rows = list(islice(listed, A_PAGE + 1))
        if len(rows) <= A_PAGE:
            return rows, None
        last = rows[A_PAGE - 1]
        return rows[:A_PAGE], Place(last.known_cost if self.sort == "cost" else last.started_at, last.run)

    def _is_possible(self, models: ReadModels) -> bool:
        """Whether any run of the time meets what is known of it by day: else every run would be read to find none."""
        known = [one for one in self.conditions if all(key is None and name in COUNTED for name, key in touched(one))]
        return not known or bool(models.run_counts(ranges=[self.span.range], conditions=known))


class RunsPage:
    """`/dashboard/runs`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> Response:
        """One page of them; what cannot be asked is told above an empty list."""
        wheres = visit.listed("where")
        rows: Sequence[RunRow] = ()
        following, problem, number = None, "", _page_number(visit)
        try:
            question = self._question(visit, wheres)
            rows, following = await self._desk.ask(question.rows)
        except InvalidRequest as error:
            problem = str(error)
        asked = {name: visit.asked(name) for name in ("q", "time", "sort", "status", "strategy", "category", "money")}
        here = {**asked, "where": wheres}
        return await self._desk.page(
            visit,
            "runs.html",
            status=400 if problem else 200,
            rows=rows,
            problem=problem,
            asked=asked,
            wheres=wheres,
            is_filtered=any(asked[name] for name in asked if name != "sort") or bool(wheres),
            without=without_each("/dashboard/runs", wheres, **asked),
            start=address("/dashboard/runs", **here),
            following=following and address("/dashboard/runs", **here, after=str(following), page=str(number + 1)),
            number=number,
            sorts=SORTS,
            statuses=STATUSES,
            strategies=STRATEGIES,
            kinds=list(Money),
            fields=[name for name in RUN_FIELDS if name not in ("tag", "text")],
        )

    def _question(self, visit: Visit, wheres: Sequence[str]) -> Question:
        """Raises InvalidRequest."""
        now = self._desk.orchestrator.clock.now()
        sort = visit.asked("sort") or "newest"
        if sort not in SORTS:
            raise InvalidRequest(f"sort {sort!r} is not possible: expected {', '.join(SORTS)}")
        calendar = Calendar(now, UTC)
        found = [parse_filter(text, RUN_FIELDS, calendar) for text in wheres]
        for name in ("status", "strategy", "category", "money"):
            if value := visit.asked(name):
                found.append(parse_filter(equals(name, value), RUN_FIELDS, calendar))
        if words := visit.asked("q"):
            found.append(Search(words))
        return Question(
            span=Span.of(visit.asked("time") or "all", now),
            sort=sort,
            after=Place.of(visit.asked("after")),
            conditions=(*visit.owned, *found),
        )


def _page_number(visit: Visit) -> int:
    text = visit.asked("page", "1")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 9 else 1
