"""The marks of a budget that spending passed: each is recorded once a period and kind of money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..domain.events import BudgetAlerted, BudgetChanged, BudgetDefined, BudgetEvent, BudgetRemoved, Money
from ..domain.periods import period_key
from ..domain.units import Timestamp, Usd, picodollars, usd
from .ports import Append, Appended, Balance, EventStore, RunLog, StreamAppend

BUDGET_PREFIX = "budget-"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedBudget:
    """A budget, folded from its stream, with the marks that were told."""

    version: int = 0
    limit: Usd | None = None  # None: not set, or removed
    alerts: tuple[int, ...] = ()
    alerted: frozenset[tuple[str, Money, int]] = field(default_factory=frozenset)  # period key, money, per cent


def fold_budget(events: Sequence[BudgetEvent]) -> MarkedBudget:
    """The budget after its events."""
    budget = MarkedBudget()
    for event in events:
        match event:
            case BudgetDefined() | BudgetChanged():
                budget = replace(budget, limit=event.limit, alerts=event.alerts)
            case BudgetRemoved():
                budget = replace(budget, limit=None)
            case BudgetAlerted():
                mark = (event.period_key, event.money, event.percent)
                budget = replace(budget, alerted=budget.alerted | {mark})
        budget = replace(budget, version=budget.version + 1)
    return budget


def budget_stream(scope: str, period: str) -> str:
    """The stream of a budget's events."""
    return f"{BUDGET_PREFIX}{scope}-{period}"


async def budget_events(store: EventStore, log: RunLog, stream: str) -> list[BudgetEvent]:
    """The events of a budget's stream."""
    return [log.decode(entry) for entry in await store.read_stream(stream)]


async def pass_marks(
    store: EventStore,
    log: RunLog,
    budgets: set[tuple[str, str]],
    moments: Sequence[Timestamp],
) -> list[BudgetAlerted]:
    """Record the marks these budgets passed in the periods of these moments; those that were recorded here."""
    passed: list[BudgetAlerted] = []
    for scope, period in sorted(budgets):
        stream, keys = budget_stream(scope, period), {period_key(period, moment) for moment in moments}
        while True:
            budget = fold_budget(await budget_events(store, log, stream))
            rows = [one for one in await store.balances() if (one.scope, one.period) == (scope, period)]
            new = [mark for row in rows if row.period_key in keys for mark in _marks(budget, row)]
            if not new:
                break
            append = Append(streams=(StreamAppend(stream, budget.version, log.new_events(stream, new)),))
            if isinstance(await store.append(append), Appended):  # else somebody was first: look again
                passed.extend(new)
                break
    return passed


def _marks(budget: MarkedBudget, row: Balance) -> list[BudgetAlerted]:
    """The marks that the row has passed and nobody recorded."""
    limit = budget.limit
    if not limit or not row.settled:
        return []
    return [
        BudgetAlerted(
            scope=row.scope,
            period=row.period,
            period_key=row.period_key,
            money=row.money,
            percent=percent,
            spent=usd(row.settled),
            limit=limit,
        )
        for percent in budget.alerts
        if row.settled * 100 >= percent * picodollars(limit)
        and (row.period_key, row.money, percent) not in budget.alerted
    ]
