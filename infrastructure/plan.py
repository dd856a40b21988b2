"""What a run would do, without doing it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..application.result import plan_warnings
from ..domain.budget import plan_hold, total
from ..domain.events import PlannedCall, PromptAssessed, RoutingDecided
from ..domain.exclusions import exclusion_text
from ..domain.units import Usd, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would do, without doing it."""

    provider: str
    assessment: PromptAssessed
    routing: RoutingDecided
    max_cost: Usd | None

    @property
    def calls(self) -> tuple[PlannedCall, ...]:
        """The calls, in order; never empty."""
        return self.routing.plan

    def to_dict(self) -> dict[str, Any]:
        """For JSON: `plan`, a call a row, and `price_range`; amounts as decimal strings, null where unknown."""
        return {
            "provider": self.provider,
            "simulated": self.provider == "simulated",
            "task_type": self.assessment.task_type.value,
            "capability": self.assessment.capability.value,
            "plan": [_call_dict(call) for call in self.calls],
            "strategy": self.routing.strategy,
            "strategy_reason": self.routing.reason,
            "price_range": {"min": _text(self.price_range[0]), "max": _text(self.price_range[1])},
            "excluded": [{"model": one.model, "reason": exclusion_text(one)} for one in self.routing.excluded],
            "warnings": self.warnings,
        }

    @property
    def first_calls(self) -> tuple[PlannedCall, ...]:
        """The calls that such a run makes in any case."""
        return self.calls[:2] if self.routing.strategy == "ensemble" else self.calls[:1]

    @property
    def price_range(self) -> tuple[Usd | None, Usd | None]:
        """USD: the least and the most the run can cost; None where a model has no price."""
        if any(call.max_cost is None for call in self.calls):
            return None, None
        return total(call.min_cost for call in self.first_calls), plan_hold("global", self.calls, self.max_cost)

    @property
    def warnings(self) -> list[str]:
        """What a caller should know before running it."""
        return plan_warnings(self.assessment, self.routing)


def _call_dict(call: PlannedCall) -> dict[str, Any]:
    amounts = {"min_cost": call.min_cost, "expected_cost": call.expected_cost, "max_cost": call.max_cost}
    return asdict(call) | {name: _text(amount) for name, amount in amounts.items()}


def _text(amount: Usd | None) -> str | None:
    return None if amount is None else plain(amount)
