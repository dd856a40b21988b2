"""Setting and removing budgets: an event in the budget's stream, and the limit that holds are checked against."""

from __future__ import annotations

from ..domain.api_key import LOCAL, key_name_of
from ..domain.errors import InvalidRequest
from ..domain.events import BudgetChanged, BudgetDefined, BudgetEvent, BudgetRemoved
from ..domain.periods import PERIODS
from ..domain.units import Timestamp, Usd, picodollars
from .budget_marks import budget_events, budget_stream, fold_budget
from .openings import Unheld
from .ports import (
    Append,
    Appended,
    BalanceSettle,
    BudgetLimit,
    Clock,
    EventStore,
    ExpectedVersion,
    LogEnd,
    RunLog,
    StreamAppend,
)
from .run_options import max_cost_of

FORMS = "global, category:NAME, tag:KEY=VALUE, model:NAME or key:NAME"
MARKS = (50, 80, 100)  # per cent of the limit
MOST_PERCENT = 1000


def scope_of(text: str) -> str:
    """A scope as events name it. Raises InvalidRequest."""
    kind, _, name = text.partition(":")
    key, _, value = name.partition("=")
    named = kind in ("category", "model", "key") and name
    good = text == "global" or named or (kind == "tag" and key and value)
    if not good or len(text) > 140 or not text.isprintable():
        raise InvalidRequest(f"budget scope {text!r}: expected {FORMS}")
    if kind == "key" and name != LOCAL:
        key_name_of(name)
    return text


def period_of(text: str) -> str:
    """A period's kind. Raises InvalidRequest."""
    if text not in PERIODS:
        raise InvalidRequest(f"budget period {text!r}: expected {', '.join(PERIODS)}")
    return text


def limit_of(text: str) -> Usd:
    """USD, above 0. Raises InvalidRequest."""
    try:
        limit = max_cost_of({"max_cost": text}, None)
    except InvalidRequest as error:
        raise InvalidRequest(str(error).replace("max cost", "budget").replace("from 0 to", "above 0, up to")) from None
    if not limit:
        raise InvalidRequest(f"budget {text} is not possible: expected US dollars above 0")
    return limit


def alerts_of(text: str | None) -> tuple[int, ...] | None:
    """Marks in per cent, rising, of `50,80,100` or `none`; None where nothing was said. Raises InvalidRequest."""
    if text is None or text == "none":
        return None if text is None else ()
    parts = [part.strip().removesuffix("%") for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part[:9]) <= MOST_PERCENT for part in parts):
        raise InvalidRequest(
            f"alerts {text[:40]!r}: expected per cents from 1 to {MOST_PERCENT}, such as 50,80,100, or none"
        )
    return tuple(sorted({int(part) for part in parts}))


async def set_budget(
    store: EventStore,
    log: RunLog,
    clock: Clock,
    *,
    scope: str,
    period: str,
    limit: Usd,
    alerts: tuple[int, ...] | None = None,
) -> BudgetDefined | BudgetChanged:
    """Define or change a budget; `alerts` None leaves the marks as they are.

    A new one starts with what the scope spent in the current period: everything recorded before its own event. Runs
    under way hold nothing on a budget that came after them, and what they are billed later is not counted.
    Raises InvalidRequest for a scope or period.
    """
    stream = budget_stream(scope_of(scope), period_of(period))
    unheld = Unheld(scope, period)
    while True:  # until nobody else was first
        budget = fold_budget(await budget_events(store, log, stream))
        if budget.limit is not None:
            marks = budget.alerts if alerts is None else alerts
            changed = BudgetChanged(scope=scope, period=period, limit=limit, alerts=marks)
            if await _append(store, log, changed, budget.version, limit):
                return changed
            continue
        await unheld.read_on(store, log)
        at = unheld.moment(clock.now())
        defined = BudgetDefined(
            scope=scope,
            period=period,
            limit=limit,
            opening=unheld.opening(at, await budget_events(store, log, stream)),
            alerts=MARKS if alerts is None else alerts,
        )
        if await _append(store, log, defined, LogEnd(unheld.position), limit, _opening(defined, at)):
            return defined


async def remove_budget(store: EventStore, log: RunLog, scope: str, period: str) -> BudgetRemoved:
    """Lift a budget. Raises InvalidRequest where there is none."""
    event = BudgetRemoved(scope=scope_of(scope), period=period_of(period))
    while True:
        budget = fold_budget(await budget_events(store, log, budget_stream(scope, period)))
        if budget.limit is None:
            raise no_budget(scope, period)
        if await _append(store, log, event, budget.version, None):
            return event


def no_budget(scope: str, period: str | None) -> InvalidRequest:
    """The error for a budget that is not set."""
    kind = "" if period is None else f" ({period})"
    return InvalidRequest(f"there is no budget {scope}{kind}: `model-orchestrator budgets list` shows them")


async def _append(
    store: EventStore,
    log: RunLog,
    event: BudgetEvent,
    expected: ExpectedVersion,
    limit: Usd | None,
    opening: tuple[BalanceSettle, ...] = (),
) -> bool:
    """The event, the limit and the opening together; False where somebody else was first."""
    stream = budget_stream(event.scope, event.period)
    change = BudgetLimit(scope=event.scope, period=event.period, limit=None if limit is None else picodollars(limit))
    appended = StreamAppend(stream, expected, log.new_events(stream, [event]))
    return isinstance(await store.append(Append(streams=(appended,), balances=(change, *opening))), Appended)


def _opening(event: BudgetDefined, at: Timestamp) -> tuple[BalanceSettle, ...]:
    """What is settled already, in the period of `at`."""
    return tuple(
        BalanceSettle(
            scope=event.scope, period=event.period, money=one.money, held_at=at, held=0, spent=picodollars(one.spent)
        )
        for one in event.opening
    )
