"""What the budgets are, what became of them, and how each stands: for people and for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ..domain.events import BudgetAlerted, BudgetChanged, BudgetDefined, BudgetEvent
from ..domain.periods import PERIODS
from ..domain.units import MILLION, Timestamp, Usd, picodollars, plain, usd
from .budget_marks import BUDGET_PREFIX, budget_events, budget_stream, fold_budget
from .budgets import no_budget, period_of, scope_of
from .ports import Balance, EventStore, RecordedEvent, RunLog
from .runs import PAGE

_TYPES = ("BudgetDefined", "BudgetChanged", "BudgetRemoved", "BudgetAlerted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit with its current balances. USD."""

    scope: str
    period: str
    limit: Usd
    balances: tuple[Balance, ...]
    alerts: tuple[int, ...] = ()  # per cent of the limit
    told: tuple[BudgetAlerted, ...] = ()


@dataclass(frozen=True, slots=True)
class BudgetFact:
    """A budget's event with the envelope it was recorded in."""

    event: BudgetEvent
    envelope: RecordedEvent


async def list_budgets(store: EventStore, scope: str | None = None, period: str | None = None) -> list[Budget]:
    """Every budget, or those of a scope and a period, with what is held and spent in each of its periods."""
    balances = await store.balances()
    return [
        Budget(
            scope=one,
            period=kind,
            limit=usd(limit),
            balances=tuple(row for row in balances if (row.scope, row.period) == (one, kind)),
        )
        for one, kind, limit in await store.budgets()
        if scope in (None, one) and period in (None, kind)
    ]


async def marked_budgets(
    store: EventStore, log: RunLog, scope: str | None = None, period: str | None = None
) -> list[Budget]:
    """The same with their alerts, and which of them were told."""
    found = await list_budgets(store, scope, period)
    return [_with_marks(one, await budget_events(store, log, budget_stream(one.scope, one.period))) for one in found]


async def show_budgets(store: EventStore, log: RunLog, scope: str, period: str | None = None) -> list[Budget]:
    """A scope's budgets, with their alerts and which of them were told. Raises InvalidRequest where there is none."""
    found = await marked_budgets(store, log, scope_of(scope), None if period is None else period_of(period))
    if not found:
        raise no_budget(scope, period)
    return found


async def budget_history(
    store: EventStore, log: RunLog, scope: str | None = None, period: str | None = None
) -> list[BudgetFact]:
    """Every event of the budgets, or of those of a scope and a period, in order; also of those that were removed."""
    periods = PERIODS if period is None else (period_of(period),)
    entries: list[RecordedEvent] = []
    if scope is not None:
        for kind in periods:
            entries += await store.read_stream(budget_stream(scope_of(scope), kind))
        entries.sort(key=lambda entry: entry.position)
    else:
        after = 0
        while page := await store.read_all(after=after, limit=PAGE, types=_TYPES, stream_prefix=BUDGET_PREFIX):
            entries += page
            after = page[-1].position
    facts = [BudgetFact(log.decode(entry), entry) for entry in entries]
    return [fact for fact in facts if fact.event.period in periods]


def budget_dict(budget: Budget) -> dict[str, Any]:
    """For JSON: amounts as decimal strings; its alerts, and those that were told, in order."""
    told = [
        {
            "period": one.period_key,
            "money": one.money.value,
            "percent": one.percent,
            "spent": plain(one.spent),
            "limit": plain(one.limit),
        }
        for one in budget.told
    ]
    return {
        "scope": budget.scope,
        "period": budget.period,
        "limit": plain(budget.limit),
        "balances": [
            {
                "period": one.period_key,
                "money": one.money.value,
                "held": plain(usd(one.held)),
                "spent": plain(usd(one.settled)),
                "left": plain(max(Decimal(0), usd(picodollars(budget.limit) - one.held - one.settled))),
            }
            for one in budget.balances
        ],
        "alerts": list(budget.alerts),
        "told": told,
    }


def fact_dict(fact: BudgetFact) -> dict[str, Any]:
    """An event for JSON: when, who, what; `recorded_at` is UTC."""
    event, entry = fact.event, fact.envelope
    found: dict[str, Any] = {
        "recorded_at": _iso(entry.recorded_at),
        "actor": entry.actor,
        "type": entry.type,
        "scope": event.scope,
        "period": event.period,
    }
    match event:
        case BudgetDefined() | BudgetChanged():
            found |= {"limit": plain(event.limit), "alerts": list(event.alerts)}
        case BudgetAlerted():
            found |= {"limit": plain(event.limit), "period_key": event.period_key, "money": event.money.value}
            found |= {"percent": event.percent, "spent": plain(event.spent)}
    if isinstance(event, BudgetDefined):
        found["opening"] = [
            {"period": one.period_key, "money": one.money.value, "spent": plain(one.spent)} for one in event.opening
        ]
    return found


def _with_marks(budget: Budget, history: Sequence[BudgetEvent]) -> Budget:
    told = tuple(event for event in history if isinstance(event, BudgetAlerted))
    return replace(budget, alerts=fold_budget(history).alerts, told=told)


def _iso(moment: Timestamp) -> str:
    return datetime.fromtimestamp(moment / MILLION, UTC).isoformat()
