"""The choice: which models are asked, in what order, and what that can cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .budget import less, plan_hold, total
from .call_planning import Need, RequestSize, asked_for, features_asked, measure
from .catalogue import Feature, ModelCapability, ModelConfig, ModelName
from .events import (
    Candidate,
    Exclusion,
    ExclusionReason,
    Forecast,
    Headroom,
    Hold,
    PlannedCall,
    PromptAssessed,
    RoutingDecided,
    StrategySettings,
)
from .forecast import predicted
from .plan_shapes import Shape, chain_shape, cheapest_shape, panel_shape
from .policy import Policy
from .request import Request
from .units import Probability, Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingInputs:
    """Everything a routing decision reads."""

    request: Request
    assessment: PromptAssessed
    usable: tuple[ModelConfig, ...]
    unusable: tuple[Exclusion, ...]
    strategy: str = "cheapest"  # as asked
    settings: StrategySettings = StrategySettings()
    policy: Policy
    max_cost: Usd | None = None
    budgets: tuple[tuple[str, str], ...] = ()  # scope and period of those that concern the run
    headroom: tuple[Headroom, ...] = ()  # of those that refused the whole plan
    size: RequestSize | None = None  # and the features it asks for, where the request's own text is gone
    features: frozenset[Feature] | None = None
    forecast: Forecast | None = None  # what the policy's weights say of the request
    draw: Probability | None = None  # millionths, below 1,000,000; None: the best candidate is asked


def decide(inputs: RoutingInputs) -> RoutingDecided:
    """The plan of the strategy, shaped to the money there is; an empty one where no model can take the request."""
    assessment, settings = inputs.assessment, inputs.settings
    strategy, reason = chosen_strategy(inputs)
    capability = _reachable(inputs)
    forecast = inputs.forecast if reads_forecast(inputs) else None
    need = Need(
        size=inputs.size or measure(inputs.request, assessment.task_type, assessment.capability),
        features=features_asked(inputs.request) if inputs.features is None else inputs.features,
        capability=capability if strategy == "cheapest" and not settings.model else None,
        settings=settings,
        is_limited=inputs.max_cost is not None or bool(inputs.budgets),
        limit=_call_limit(inputs),
        model_limits=_model_limits(inputs),
        predicted=frozenset(predicted(forecast)),
    )
    shape = _shape(strategy, inputs, need, forecast)
    return RoutingDecided(
        strategy=strategy,
        reason=reason,
        plan=shape.plan,
        holds=_holds(inputs, shape.plan),
        candidates=tuple(Candidate(model=call.model, expected_cost=call.expected_cost) for call in shape.candidates),
        excluded=inputs.unusable + shape.excluded,
        usable=tuple(model.name for model in inputs.usable),
        capability=capability,
        threshold=_threshold(inputs) if strategy == "fallback" else None,
        method=settings.method if strategy == "ensemble" else None,
        headroom=inputs.headroom,
        dropped=shape.dropped,
        needed=None if shape.plan else shape.needed,
        policy=inputs.policy.version,
        forecast=forecast,
        exploration=shape.exploration,
    )


def reads_forecast(inputs: RoutingInputs) -> bool:
    """Whether the choice goes by what the policy's weights say: a single model is to be found, and none was named."""
    named, learned = inputs.settings.model is not None, inputs.policy.router is not None
    return learned and not named and chosen_strategy(inputs)[0] == "cheapest"


def chosen_strategy(inputs: RoutingInputs) -> tuple[str, str]:
    """The strategy that runs, and why: a named model is asked alone, auto goes by the task."""
    if inputs.settings.model is not None:
        return "cheapest", "model named"
    if inputs.strategy != "auto":
        return inputs.strategy, "asked"
    return inputs.policy.strategy(inputs.assessment.task_type, inputs.assessment.capability)


def _shape(strategy: str, inputs: RoutingInputs, need: Need, forecast: Forecast | None) -> Shape:
    models = {model.name: model for model in inputs.usable}
    if strategy == "fallback":
        names, backup = _chain(inputs)
        shape = chain_shape(models, names, backup, need, inputs.assessment.capability, plan_limit=_room(inputs))
        return replace(shape, excluded=shape.excluded + _absent(inputs, names + backup))
    if strategy == "ensemble":
        names = inputs.settings.members or inputs.policy.panels[_panel(inputs)]
        shape = panel_shape(models, names, need, method=inputs.settings.method)
        return replace(shape, excluded=shape.excluded + _absent(inputs, names))
    return cheapest_shape(models, need, plan_limit=_room(inputs), forecast=forecast, draw=inputs.draw)


def _absent(inputs: RoutingInputs, names: tuple[ModelName, ...]) -> tuple[Exclusion, ...]:
    """The models that the policy names and the catalogue lacks."""
    known = {*(model.name for model in inputs.usable), *(one.model for one in inputs.unusable)}
    return tuple(Exclusion(model=name, reason=ExclusionReason.CATALOGUE) for name in names if name not in known)


def _chain(inputs: RoutingInputs) -> tuple[tuple[ModelName, ...], tuple[ModelName, ...]]:
    """The chain's models and its backup's: the caller's own, a named one, or the policy's."""
    settings, chains = inputs.settings, inputs.policy.chains
    if settings.chain:
        return settings.chain, ()
    chain = chains[settings.chain_name or inputs.policy.default_chain]
    backup = chains[chain.backup].models if chain.backup else ()
    return chain.models, tuple(name for name in backup if name not in chain.models)


def _threshold(inputs: RoutingInputs) -> Probability:
    """What an answer has to reach: the caller's figure, else the chain's."""
    settings, policy = inputs.settings, inputs.policy
    name = policy.default_chain if settings.chain or not settings.chain_name else settings.chain_name
    return policy.chains[name].threshold if settings.threshold is None else settings.threshold


def _panel(inputs: RoutingInputs) -> str:
    return inputs.policy.panel(inputs.assessment.task_type, inputs.assessment.capability)


def _room(inputs: RoutingInputs) -> Usd | None:
    """The least that a budget over all models leaves for the whole plan; None where none refused."""
    rooms = [room_of(one) for one in inputs.headroom if not one.scope.startswith("model:")]
    return min(rooms, default=None)


def _call_limit(inputs: RoutingInputs) -> Usd | None:
    """The most one call may cost."""
    return min((limit for limit in (inputs.max_cost, _room(inputs)) if limit is not None), default=None)


def _model_limits(inputs: RoutingInputs) -> dict[ModelName, Usd]:
    """What a model's own budgets leave for it."""
    limits: dict[ModelName, Usd] = {}
    for one in inputs.headroom:
        if one.scope.startswith("model:"):
            name = one.scope.removeprefix("model:")
            limits[name] = min(room_of(one), limits.get(name, room_of(one)))
    return limits


def room_of(headroom: Headroom) -> Usd:
    """USD the budget still has; never below 0."""
    return max(Usd(0), less(headroom.limit, total((headroom.held, headroom.settled))))


def _holds(inputs: RoutingInputs, plan: tuple[PlannedCall, ...]) -> tuple[Hold, ...]:
    """The plan's worst price on every budget concerned."""
    amounts = ((scope, period, plan_hold(scope, plan, inputs.max_cost)) for scope, period in inputs.budgets)
    return tuple(Hold(scope=scope, period=period, amount=amount) for scope, period, amount in amounts if amount)


def _reachable(inputs: RoutingInputs) -> ModelCapability:
    """The class assessed, or the highest there is where no usable model reaches it."""
    assessed = inputs.assessment.capability
    ranks = [model.capability.rank for model in inputs.usable if asked_for(model, inputs.settings)]
    return list(ModelCapability)[min(assessed.rank, max(ranks, default=assessed.rank))]
