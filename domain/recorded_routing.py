"""What a routing decision read, taken back from the decision itself and from the catalogue it was made with."""

from __future__ import annotations

from .call_planning import RequestSize
from .catalogue import Catalogue, Feature, ModelConfig
from .events import Exclusion, ExclusionReason, PromptAssessed, Purpose, RoutingDecided
from .expected_output import expected_output_tokens

NO_MODEL = ("model:", "total")  # a budget that holds nothing: only that money was bounded


def recorded_models(
    routing: RoutingDecided, catalogue: Catalogue
) -> tuple[tuple[ModelConfig, ...], tuple[Exclusion, ...]]:
    """The models that could be called, and why the catalogue's others could not.

    Raises LookupError where the catalogue lacks one of them.
    """
    models = {model.name: model for model in catalogue.models}
    usable = tuple(models[name] for name in routing.usable)
    unusable = (one for one in routing.excluded if one.model in models and one.model not in routing.usable)
    return usable, tuple(unusable)


def recorded_budgets(routing: RoutingDecided) -> tuple[tuple[str, str], ...]:
    """Scope and period of the budgets that made a difference: they held something, had too little, or existed."""
    held = [(one.scope, one.period) for one in routing.holds]
    found = dict.fromkeys([*held, *((one.scope, one.period) for one in routing.headroom)])
    bounded = any(one.reason is ExclusionReason.UNPRICED for one in routing.excluded)
    return tuple(found) or ((NO_MODEL,) if bounded else ())


def recorded_size(
    routing: RoutingDecided, assessment: PromptAssessed, catalogue: Catalogue
) -> tuple[RequestSize, frozenset[Feature]] | None:
    """The request's size and features as the plan shows them; None where no call was planned.

    What a limit cut short is known only as far as the limit. A feature that every model has leaves no trace, and makes
    no difference to the models; it may to a judge that lacks it.
    """
    calls = [call for call in routing.plan if call.purpose is Purpose.ANSWER]
    if not calls:
        return None
    windows = {model.name: model.context_window for model in catalogue.models}
    whole = [call.max_input_tokens for call in calls if call.max_input_tokens < windows.get(call.model, 0)]
    max_output = max(call.max_output_tokens for call in routing.plan if call.purpose is not Purpose.JUDGE)
    expected = expected_output_tokens(assessment.task_type, assessment.capability)
    size = RequestSize(
        expected_input=calls[0].expected_input_tokens,
        max_input=whole[0] if whole else max(call.max_input_tokens for call in calls),
        expected_output=min(max_output, expected),
        max_output=max_output,
    )
    return size, _features(routing)


def _features(routing: RoutingDecided) -> frozenset[Feature]:
    """Those that some model lacked."""
    lacking = (one.limit or "" for one in routing.excluded if one.reason is ExclusionReason.FEATURE)
    return frozenset(Feature(word) for words in lacking for word in words.split(", "))
