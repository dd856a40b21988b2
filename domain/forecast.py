"""What learned weights say of a request, the order that follows from it, and the draw that now and then ignores it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol

from .call_planning import by_expected_cost
from .catalogue import ModelConfig, ModelName
from .choice import rank
from .events import Exploration, Forecast, PlannedCall, Prediction, Propensity
from .units import MILLION, Probability, probability

Order = Callable[[PlannedCall], tuple[bool, Any, Any]]


class SuccessModel(Protocol):
    """Weights that predict, for the models they were trained on, how likely an answer is right."""

    @property
    def version(self) -> str:
        """Tells the weights from all others."""
        ...

    def success(self, prompt: str) -> dict[ModelName, float]:
        """P(right | request, model), 0..1, of every model known."""
        ...


def forecast(
    weights: str, target: Probability, success: Mapping[ModelName, float], usable: Iterable[ModelConfig]
) -> Forecast:
    """The predictions for the usable models, found by their name, else by the one on the wire."""
    found = [(model.name, success.get(model.name, success.get(model.api_id))) for model in usable]
    return Forecast(
        weights=weights,
        target=target,
        predictions=tuple(
            Prediction(model=name, success=None if value is None else probability(value)) for name, value in found
        ),
    )


def predicted(forecast: Forecast | None) -> dict[ModelName, Probability]:
    """The models that the weights know, with their success."""
    if forecast is None:
        return {}
    return {one.model: one.success for one in forecast.predictions if one.success is not None}


def preference(forecast: Forecast | None) -> Order:
    """Those that reach the target by expected cost, then the others by success; without a forecast all by cost.

    A model that the weights do not know counts as reaching it: its class has been held against the request already.
    """
    success = predicted(forecast)
    target = forecast.target if forecast else 0

    def order(call: PlannedCall) -> tuple[bool, Any, Any]:
        return rank(success.get(call.model, target), by_expected_cost(call), target)

    return order


def explored(epsilon: Probability, draw: Probability, candidates: Sequence[PlannedCall]) -> tuple[int, Exploration]:
    """Which of the candidates is asked, the best of which stands first, and how likely that was for each."""
    count = len(candidates)
    bounds = [-(-epsilon * index // count) for index in range(count + 1)]  # draws from bounds[i] on ask candidate i
    shares = [high - low for low, high in pairwise(bounds)]
    shares[0] += MILLION - epsilon
    chosen = draw * count // epsilon if draw < epsilon else 0
    propensities = tuple(
        Propensity(model=call.model, probability=Probability(share))
        for call, share in zip(candidates, shares, strict=True)
    )
    return chosen, Exploration(epsilon=epsilon, draw=draw, propensities=propensities)
