"""One of many models, by how likely each is to be right and what each is expected to cost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .catalogue import ModelName
from .errors import InvalidRequest

Costs = Mapping[ModelName, float] | Mapping[ModelName, Decimal]


def cheapest_reaching(success: Mapping[ModelName, float], costs: Costs, target: float) -> ModelName:
    """The cheapest model whose predicted success reaches the target; where none does, the likeliest to be right."""
    return min(success, key=lambda model: rank(success[model], costs[model], target))


def rank(success: float, cost: Any, target: float) -> tuple[bool, Any, Any]:
    """Where a model stands, the best first: those that reach the target by cost, then the others by success.

    `cost` may be of any kind that can be compared; success and target are of one scale.
    """
    return (False, cost, -success) if success >= target else (True, -success, cost)


def best_within(success: Mapping[ModelName, float], costs: Costs, budget: float | Decimal) -> ModelName:
    """The likeliest to be right of those that are expected to cost no more. Raises InvalidRequest for none."""
    fitting = {model: chance for model, chance in success.items() if costs[model] <= budget}
    if not fitting:
        cheapest = min(costs[model] for model in success)
        raise InvalidRequest(f"budget {budget} a prompt: the cheapest model is expected to cost {cheapest:.7f}")
    return likeliest(fitting, costs)


def likeliest(success: Mapping[ModelName, float], costs: Costs) -> ModelName:
    """The model most likely to be right; of equals the cheapest."""
    return min(success, key=lambda model: (-success[model], costs[model]))
