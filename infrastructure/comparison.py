"""Every strategy's plan for one prompt side by side, and what each answers where that is wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from ..application.result import OrchestrationResult
from ..application.runs import load_run
from ..application.world import money_of
from ..domain.catalogue import ModelName
from ..domain.errors import RunFailure
from ..domain.strategies import PLANNED
from ..domain.units import MILLION, Usd, plain
from .bootstrap import Orchestrator
from .plan import Plan

Speeds = Mapping[ModelName, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A strategy's row. Without `plan` nothing can be asked, and `error` says why; `result` only where it was run."""

    strategy: str
    is_chosen_by_auto: bool
    plan: Plan | None
    expected_seconds: float | None  # None: a model of it was never asked
    result: OrchestrationResult | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON: amounts as decimal strings, null where unknown."""
        low, high = self.plan.price_range if self.plan else (None, None)
        return {
            "strategy": self.strategy,
            "chosen_by_auto": self.is_chosen_by_auto,
            "models": [call.model for call in self.plan.calls] if self.plan else [],
            "price_range": {"min": None if low is None else plain(low), "max": None if high is None else plain(high)},
            "expected_seconds": self.expected_seconds,
            "error": self.error,
            "result": self.result.to_dict() if self.result else None,
        }


def compared(orchestrator: Orchestrator, prompt: str, options: dict[str, Any]) -> list[Compared]:
    """The strategies' plans; nothing is sent and nothing is stored. Raises InvalidRequest."""
    auto, speeds = _strategy_of_auto(orchestrator, prompt, options), _speeds(orchestrator, options.get("provider"))
    return [_planned(orchestrator, prompt, options, strategy, speeds, is_auto=strategy == auto) for strategy in PLANNED]


async def answered(
    orchestrator: Orchestrator, prompt: str, options: dict[str, Any], *, max_cost: Usd
) -> AsyncIterator[Compared]:
    """The strategies one after the other, each with what those before it left of `max_cost` (USD)."""
    left: Decimal = max_cost
    auto, speeds = _strategy_of_auto(orchestrator, prompt, options), _speeds(orchestrator, options.get("provider"))
    for strategy in PLANNED:
        given = {**options, "max_cost": left}
        row = _planned(orchestrator, prompt, given, strategy, speeds, is_auto=strategy == auto)
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
        yield replace(row, result=result, error=error)


def _planned(
    orchestrator: Orchestrator,
    prompt: str,
    options: dict[str, Any],
    strategy: str,
    speeds: Speeds,
    *,
    is_auto: bool,
) -> Compared:
    try:
        plan, error = orchestrator.plan(prompt, **{**options, "strategy": strategy}), None
    except RunFailure as failure:
        plan, error = None, str(failure)
    seconds = None if plan is None else _expected_seconds(plan, speeds)
    return Compared(strategy=strategy, is_chosen_by_auto=is_auto, plan=plan, expected_seconds=seconds, error=error)


def _expected_seconds(plan: Plan, speeds: Speeds) -> float | None:
    """Of the calls that every such run makes; those of an ensemble are made at once."""
    first = [speeds.get(call.model) for call in plan.first_calls]
    return max((one for one in first if one is not None), default=None) if None not in first else None


def _speeds(orchestrator: Orchestrator, asked: str | None) -> Speeds:
    """Seconds in which half of each model's answers came, as this database knows them."""
    if not orchestrator.has_database():
        return {}
    money = money_of(orchestrator.provider_name(asked)).value
    found = {one.model: one.latency(0.5) for one in orchestrator.read_models.model_stats() if one.money == money}
    return {model: latency / MILLION for model, latency in found.items() if latency is not None}


def _strategy_of_auto(orchestrator: Orchestrator, prompt: str, options: dict[str, Any]) -> str | None:
    try:
        return orchestrator.plan(prompt, **{**options, "max_cost": None, "strategy": "auto"}).routing.strategy
    except RunFailure:
        return None
