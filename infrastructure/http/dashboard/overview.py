"""The first page: what is spent, how it goes, and what happens now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import partial

from starlette.responses import Response

from ....application.budget_reports import Budget, list_budgets
from ....application.charts import chart_svg
from ....application.cost_reports import HEADINGS, CostQuestion, cost_charts
from ....application.ports import Balance
from ....application.read_models import ReadModels
from ....application.savings import Alternative, Savings, savings
from ....domain.events import Money
from ....domain.filters import CALL_FIELDS, Compare, Condition, Op
from ....domain.periods import period_key
from ....domain.units import Timestamp, picodollars
from ....projections.buckets import quantile
from ....projections.cost_report import CostRow
from ....projections.model_report import ModelStats
from ....projections.run_report import RunCount, RunRow
from ...stored_catalogues import catalogue_in_force, stored_catalogues
from .desk import Desk
from .spans import Span, shown_money, this_month, today
from .visit import Visit

LAST = 8  # runs
TODAY, MONTH, SPAN = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one kind of money. Money is picodollars, times are microseconds, confidence is millionths."""

    money: Money
    kinds: Sequence[Money]
    spent: Sequence[tuple[int, int, int]]  # USD, calls, calls of unknown cost: today, this month, the span
    runs: int
    completed: int
    ended: int  # calls
    answered: int
    latencies: Counter[int]
    confidence: float | None
    chart: str
    last: Sequence[RunRow]

    def latency(self, share: float) -> int | None:
        """A quantile over all models."""
        return quantile(self.latencies, share)


@dataclass(frozen=True, slots=True)
class BudgetNow:
    """A budget in its current period; microdollars of the limit are parts of a thousand."""

    budget: Budget
    balance: Balance | None

    @property
    def gone(self) -> int:
        """Picodollars spent and held."""
        return self.balance.settled + self.balance.held if self.balance else 0

    @property
    def limit(self) -> int:
        """Picodollars."""
        return picodollars(self.budget.limit)

    @property
    def level(self) -> str:
        """good, warn from 80 per cent on, bad where nothing is left."""
        return "bad" if self.gone >= self.limit else "warn" if 5 * self.gone >= 4 * self.limit else "good"


class OverviewPage:
    """`/dashboard`, and what it loads after itself."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> Response:
        """Everything that roll-ups know at once."""
        now = self._desk.orchestrator.clock.now()
        span = Span.recent(visit.asked("time", "30d"), now)
        ask = partial(_figures, now=now, span=span, asked=visit.asked("money"), owned=visit.owned)
        figures = await self._desk.ask(ask)
        budgets = await self._budgets(now, figures.money) if visit.sees_all else []
        return await self._desk.page(
            visit,
            "overview.html",
            figures=figures,
            span=span,
            headings=HEADINGS,
            budgets=budgets,
            saved_address="/dashboard/saved",
        )

    async def saved(self, visit: Visit) -> Response:
        """A part: what this month's runs would have cost with the strongest model. Reads every run of the month."""
        now = self._desk.orchestrator.clock.now()
        store, settings = self._desk.orchestrator.store, self._desk.orchestrator.settings
        known = await stored_catalogues(store)
        span = (this_month(now), now + 1)
        in_force = partial(catalogue_in_force, settings)
        found = await self._desk.ask(lambda models: savings(models, known, in_force, span=span, conditions=visit.owned))
        mine = next((one for one in found if one.money.value == visit.asked("money", "real")), None)
        return await self._desk.page(visit, "saved.html", found=mine, strongest=_strongest(mine))

    async def _budgets(self, now: Timestamp, money: Money) -> list[BudgetNow]:
        found = []
        for budget in await list_budgets(self._desk.orchestrator.store):
            key = period_key(budget.period, now)
            balance = next((one for one in budget.balances if one.period_key == key and one.money is money), None)
            found.append(BudgetNow(budget, balance))
        return found


def _strongest(found: Savings | None) -> Alternative | None:
    return None if found is None else next((one for one in found.alternatives if one.is_strongest), None)


def _figures(models: ReadModels, *, now: Timestamp, span: Span, asked: str, owned: tuple[Condition, ...]) -> Figures:
    ranges = [(today(now), span.end), (this_month(now), span.end), span.range]
    rows = models.costs(ranges=ranges, conditions=owned)
    money, kinds = shown_money(rows, asked)
    mine = Compare(CALL_FIELDS["money"], Op.EQUAL, money.value)
    stats = [one for one in models.model_stats(span=span.range, conditions=owned) if one.money == money.value]
    counts = [
        one
        for one in models.run_counts(by=("status",), ranges=[span.range], conditions=owned)
        if one.money == money.value
    ]
    question = CostQuestion(
        now=now, zone=UTC, dates=span.dates, by=("model",), split=span.split, conditions=(mine, *owned)
    )
    (chart,) = cost_charts(models, question)[:1]
    return Figures(
        money=money,
        kinds=kinds,
        spent=[_spent(rows, money, period) for period in (TODAY, MONTH, SPAN)],
        runs=sum(one.runs for one in counts),
        completed=sum(one.runs for one in counts if one.group == ("completed",)),
        ended=sum(one.calls - one.open for one in stats),
        answered=sum(one.answered for one in stats),
        latencies=_latencies(stats),
        confidence=_confidence(counts),
        chart=chart_svg(chart, id="cost-chart", styled=False) if stats else "",
        last=list(models.runs(conditions=owned, limit=LAST)),
    )


def _spent(rows: Sequence[CostRow], money: Money, period: int) -> tuple[int, int, int]:
    mine = [row for row in rows if row.money == money.value and row.period == period]
    return sum(row.cost for row in mine), sum(row.calls for row in mine), sum(row.unpriced for row in mine)


def _latencies(stats: Sequence[ModelStats]) -> Counter[int]:
    found: Counter[int] = Counter()
    for one in stats:
        found.update(one.latencies)
    return found


def _confidence(counts: Sequence[RunCount]) -> float | None:
    scored = sum(one.scored for one in counts)
    return sum(one.confidence for one in counts) / scored if scored else None
