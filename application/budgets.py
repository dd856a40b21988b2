"""Setting and removing budgets: an event in the budget's stream, and the limit that holds are checked against."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ..domain.errors import InvalidRequest
from ..domain.events import BudgetChanged, BudgetDefined, BudgetEvent, BudgetRemoved
from ..domain.units import Usd, picodollars, plain, usd
from .ports import Append, Appended, Balance, BudgetLimit, EventStore, NewEvents, StreamAppend

PERIODS = ("day", "week", "month", "total")
FORMS = "global, category:NAME, tag:KEY=VALUE or model:NAME"
MARKS = (50, 80, 100)  # per cent of the limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit with its current balances. USD."""

    scope: str
    period: str
    limit: Usd
    balances: tuple[Balance, ...]


def scope_of(text: str) -> str:
    """A scope as events name it. Raises InvalidRequest."""
    kind, _, name = text.partition(":")
    good = text == "global" or (kind in ("category", "model") and name) or (kind == "tag" and "=" in name)
    if not good or len(text) > 140 or not text.isprintable():
        raise InvalidRequest(f"budget scope {text!r}: expected {FORMS}")
    return text


def period_of(text: str) -> str:
    """A period's kind. Raises InvalidRequest."""
    if text not in PERIODS:
        raise InvalidRequest(f"budget period {text!r}: expected {', '.join(PERIODS)}")
    return text


async def set_budget(store: EventStore, new_events: NewEvents, scope: str, period: str, limit: Usd) -> BudgetEvent:
    """Define or change a budget; it counts what is spent from now on.

    Runs under way hold nothing on a budget that came after them. Raises InvalidRequest for a scope or period.
    """
    scope, period = scope_of(scope), period_of(period)
    stream = _stream(scope, period)
    while True:
        history = await store.read_stream(stream)
        known = (scope, period) in [(one, kind) for one, kind, _ in await store.budgets()]
        event: BudgetEvent = (
            BudgetChanged(scope=scope, period=period, limit=limit, alerts=MARKS)
            if known
            else BudgetDefined(scope=scope, period=period, limit=limit, opening=(), alerts=MARKS)
        )
        if await _append(store, new_events, stream, len(history), event, picodollars(limit)):
            return event


async def remove_budget(store: EventStore, new_events: NewEvents, scope: str, period: str) -> None:
    """Lift a budget. Raises InvalidRequest where there is none."""
    scope, period = scope_of(scope), period_of(period)
    while True:
        if (scope, period) not in [(one, kind) for one, kind, _ in await store.budgets()]:
            raise InvalidRequest(f"there is no budget {scope} a {period}: `model-orchestrator budgets list` shows them")
        history = await store.read_stream(_stream(scope, period))
        event = BudgetRemoved(scope=scope, period=period)
        if await _append(store, new_events, _stream(scope, period), len(history), event, None):
            return


async def list_budgets(store: EventStore) -> list[Budget]:
    """Every budget with what is held and spent, by period."""
    balances = await store.balances()
    return [
        Budget(
            scope=scope,
            period=period,
            limit=usd(limit),
            balances=tuple(one for one in balances if (one.scope, one.period) == (scope, period)),
        )
        for scope, period, limit in await store.budgets()
    ]


def budget_dict(budget: Budget) -> dict[str, object]:
    """For JSON: amounts as decimal strings."""
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
    }


async def _append(
    store: EventStore, new_events: NewEvents, stream: str, version: int, event: BudgetEvent, limit: int | None
) -> bool:
    """The event and the limit together; False where somebody else was first."""
    change = BudgetLimit(scope=event.scope, period=event.period, limit=limit)
    appended = StreamAppend(stream, version, new_events(stream, [event]))
    return isinstance(await store.append(Append(streams=(appended,), balances=(change,))), Appended)


def _stream(scope: str, period: str) -> str:
    return f"budget-{scope}-{period}"
