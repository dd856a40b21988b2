"""Why a run asked the model it asked: what the decision read, who could be asked, and what decided between them."""

from __future__ import annotations

from typing import Any

from ..domain.errors import InvalidRequest
from ..domain.events import PromptAssessed, RoutingDecided
from ..domain.exclusions import exclusion_text
from ..domain.forecast import predicted
from ..domain.run import Run
from ..domain.units import fraction, plain
from .result import candidate_dicts, exploration_dict


def explanation(run: Run) -> dict[str, Any]:
    """The decision of a run for JSON. Raises InvalidRequest where it has not decided yet."""
    assessment, routing = run.assessment, run.routing
    if assessment is None or routing is None:
        raise InvalidRequest(f"{run.id} has decided nothing yet: it is {run.status.value}")
    forecast = routing.forecast
    return {
        "run_id": run.id,
        "policy": routing.policy,
        "strategy": routing.strategy,
        "strategy_reason": routing.reason,
        "assessed": {
            "capability": assessment.capability.value,
            "task_type": assessment.task_type.value,
            "confidence": fraction(assessment.confidence),
            "signals": {name: value / 1_000_000 for name, value in assessment.signals.items()},
            "assessor": assessment.assessor,
        },
        "forecast": None
        if forecast is None
        else {
            "weights": forecast.weights,
            "target": fraction(forecast.target),
            "success": {
                one.model: None if one.success is None else fraction(one.success) for one in forecast.predictions
            },
        },
        "candidates": candidate_dicts(routing),
        "excluded": [{"model": one.model, "reason": exclusion_text(one)} for one in routing.excluded],
        "exploration": exploration_dict(routing.exploration),
        "budgets": [{"scope": one.scope, "period": one.period, "limit": plain(one.limit)} for one in routing.headroom],
        "plan": [call.model for call in routing.plan],
        "because": because(assessment, routing),
        "features": None,
    }


def because(assessment: PromptAssessed, routing: RoutingDecided) -> str:
    """What decided, in words."""
    if not routing.plan:
        return "no model can be asked"
    if routing.strategy != "cheapest":
        return f"the {routing.strategy}'s models, in the policy's order ({routing.reason})"
    if routing.reason == "model named":
        return "the model that was named"
    asked, best = routing.plan[0].model, routing.candidates[0].model
    if routing.exploration is not None and asked != best:
        return f"drawn to explore, instead of {best}"
    count = len(routing.candidates)
    if routing.forecast is None:
        return f"the cheapest of {_candidates(count)} that answer {routing.capability} prompts"
    success, target = predicted(routing.forecast), routing.forecast.target
    if asked not in success:
        return f"its class answers {assessment.capability} prompts, and the weights do not know it"
    if success[asked] < target:
        return f"none of {_candidates(count)} reaches the target {fraction(target):.2f}: the likeliest to be right"
    reaching = sum(success.get(one.model, target) >= target for one in routing.candidates)
    return f"the cheapest of {_candidates(reaching)} that reach the target {fraction(target):.2f}"


def _candidates(count: int) -> str:
    return "1 candidate" if count == 1 else f"{count} candidates"
