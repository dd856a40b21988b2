"""Every strategy's plan for one prompt side by side, and what each answers where that is wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..application.result import OrchestrationResult
from ..application.runs import load_run
from ..domain.errors import RunFailure
from ..domain.strategies import PLANNED
from ..domain.units import Usd, plain
from .bootstrap import Orchestrator, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A strategy's row. Without `plan` nothing can be asked, and `error` says why; `result` only where it was run."""

    strategy: str
    is_chosen_by_auto: bool
    plan: Plan | None
    result: OrchestrationResult | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON. `expected_seconds` is null: nothing of the models' speed is known before they were asked."""
        low, high = self.plan.price_range if self.plan else (None, None)
        return {
            "strategy": self.strategy,
            "chosen_by_auto": self.is_chosen_by_auto,
            "models": [call.model for call in self.plan.calls] if self.plan else [],
            "price_range": {"min": None if low is None else plain(low), "max": None if high is None else plain(high)},
            "expected_seconds": None,
            "error": self.error,
            "result": self.result.to_dict() if self.result else None,
        }


def compared(orchestrator: Orchestrator, prompt: str, options: dict[str, Any]) -> list[Compared]:
    """The strategies' plans; nothing is sent and nothing is stored. Raises InvalidRequest."""
    auto = _strategy_of_auto(orchestrator, prompt, options)
    return [_planned(orchestrator, prompt, options, strategy, is_auto=strategy == auto) for strategy in PLANNED]


async def answered(
    orchestrator: Orchestrator, prompt: str, options: dict[str, Any], *, max_cost: Usd
) -> AsyncIterator[Compared]:
    """The strategies one after the other, each with what those before it left of `max_cost` (USD)."""
    left: Decimal = max_cost
    auto = _strategy_of_auto(orchestrator, prompt, options)
    for strategy in PLANNED:
        given = {**options, "max_cost": left}
        row = _planned(orchestrator, prompt, given, strategy, is_auto=strategy == auto)
        if row.plan is None:
            yield row
            continue
        try:
            result = await orchestrator.run(prompt, **{**given, "strategy": strategy})
            cost, error = result.cost, None
        except RunFailure as failure:
            result, error = None, str(failure)
            cost = (await load_run(orchestrator.log, failure.run_id)).run.cost if failure.run_id else None
        left = Decimal(0) if cost is None else max(Decimal(0), left - cost)  # what is unknown may be all there was
        yield Compared(
            strategy=strategy, is_chosen_by_auto=row.is_chosen_by_auto, plan=row.plan, result=result, error=error
        )


def _planned(
    orchestrator: Orchestrator, prompt: str, options: dict[str, Any], strategy: str, *, is_auto: bool
) -> Compared:
    try:
        plan, error = orchestrator.plan(prompt, **{**options, "strategy": strategy}), None
    except RunFailure as failure:
        plan, error = None, str(failure)
    return Compared(strategy=strategy, is_chosen_by_auto=is_auto, plan=plan, error=error)


def _strategy_of_auto(orchestrator: Orchestrator, prompt: str, options: dict[str, Any]) -> str | None:
    try:
        return orchestrator.plan(prompt, **{**options, "max_cost": None, "strategy": "auto"}).routing.strategy
    except RunFailure:
        return None
