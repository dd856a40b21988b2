"""A run that money stopped: what stood in its way, and the figures with which it would have gone on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..domain.budget import NOTHING, concerns, is_in_scope, total
from ..domain.catalogue import ModelName
from ..domain.errors import ErrorKind, RunFailure
from ..domain.events import Headroom
from ..domain.periods import period_key
from ..domain.routing import room_of
from ..domain.run import Run
from ..domain.units import Timestamp, Usd, plain, usd
from .ports import Balance, EventStore
from .world import money_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A model that could have answered for `needed` USD, and everything that had less room."""

    needed: Usd
    max_cost: Usd | None  # the run's own limit, where that is in the way
    budgets: tuple[Headroom, ...]

    @property
    def obstacles(self) -> int:
        """How many limits would have to be raised."""
        return len(self.budgets) + (self.max_cost is not None)


async def standing(store: EventStore, run: Run, now: Timestamp) -> tuple[Headroom, ...]:
    """How the budgets that concern a run stand now; none where money did not stop it."""
    started = run.started
    if started is None or getattr(run.ended, "kind", None) is not ErrorKind.BUDGET:
        return ()
    rows = {
        (row.scope, row.period): row
        for row in await store.balances()
        if row.money is money_of(started.provider) and row.period_key == period_key(row.period, now)
    }
    return tuple(
        _headroom(scope, period, usd(limit), rows.get((scope, period)))
        for scope, period, limit in await store.budgets()
        if is_in_scope(scope, started.category, started.tags, started.owner)
    )


def _headroom(scope: str, period: str, limit: Usd, row: Balance | None) -> Headroom:
    held, settled = (usd(row.held), usd(row.settled)) if row else (NOTHING, NOTHING)
    return Headroom(scope=scope, period=period, limit=limit, held=held, settled=settled)


def least_refusal(
    models: Iterable[tuple[ModelName, Usd]], max_cost: Usd | None, headroom: Sequence[Headroom]
) -> Refusal:
    """Of the models and what each needs, the one for which the fewest limits must be raised, then the cheapest."""
    return min((_refusal(*one, max_cost, headroom) for one in models), key=lambda one: (one.obstacles, one.needed))


def _refusal(model: ModelName, needed: Usd, max_cost: Usd | None, headroom: Sequence[Headroom]) -> Refusal:
    return Refusal(
        needed=needed,
        max_cost=max_cost if max_cost is not None and max_cost < needed else None,
        budgets=tuple(one for one in headroom if concerns(one.scope, model) and room_of(one) < needed),
    )


def refused(refusal: Refusal, run_id: str | None, *, what: str = "the run") -> RunFailure:
    """The error, with the figures of the first obstacle, and `budgets` with those of each budget in the way."""
    budgets = [_figures(one, refusal.needed) for one in refusal.budgets]
    needed, words = plain(refusal.needed), [_words(one, refusal.needed, what) for one in refusal.budgets]
    if refusal.max_cost is None:
        details: dict[str, Any] = dict(budgets[0])
        text = f"the budget {'; the budget '.join(words)}"
    else:
        limit = plain(refusal.max_cost)
        details = {"limit": limit, "held": "0", "needed": needed, "would_fit": needed}
        text = f"no model fits the limit of ${limit}: ${needed} would do (--max-cost {needed})"
        text = "; and the budget ".join([text, *words])
    if budgets:
        details["budgets"] = budgets
    return RunFailure(text, kind=ErrorKind.BUDGET, run_id=run_id, details=details)


def _figures(budget: Headroom, needed: Usd) -> dict[str, str]:
    """`held` includes what is spent already."""
    held = total((budget.held, budget.settled))
    return {
        "scope": budget.scope,
        "period": budget.period,
        "limit": plain(budget.limit),
        "held": plain(held),
        "needed": plain(needed),
        "would_fit": plain(total((held, needed))),
    }


def _words(budget: Headroom, needed: Usd, what: str) -> str:
    figures = _figures(budget, needed)
    return (
        f"{budget.scope} ({budget.period}) of ${figures['limit']} has ${plain(room_of(budget))} left, "
        f"and {what} needs ${figures['needed']}: a limit of ${figures['would_fit']} would do"
    )
