"""One call of a plan: how large it is, what it can cost, or why a model cannot take it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .budget import affordable_output
from .catalogue import Feature, ModelCapability, ModelConfig, ModelName
from .complexity import TaskType
from .events import Exclusion, ExclusionReason, PlannedCall, StrategySettings
from .expected_output import expected_output_tokens
from .policy import DEFAULT_MAX_TOKENS
from .pricing import PriceCard, Usage, cost, worst_cost
from .request import (
    ImagePart,
    Message,
    Parameters,
    Part,
    Request,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolUse,
)
from .tokens import bound_input, estimate_input
from .units import Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSize:
    """A request in tokens."""

    expected_input: int
    max_input: int  # a provable bound
    expected_output: int
    max_output: int  # asked for


def measure(request: Request, task_type: TaskType, capability: ModelCapability) -> RequestSize:
    """How large the request is, and how large its answer may be."""
    max_output = request.parameters.max_tokens or DEFAULT_MAX_TOKENS
    return RequestSize(
        expected_input=estimate_input(request),
        max_input=bound_input(request),
        expected_output=min(max_output, expected_output_tokens(task_type, capability)),
        max_output=max_output,
    )


def features_asked(request: Request) -> frozenset[Feature]:
    """What a model must be able to do beyond text to carry the request."""
    parts = [part for message in request.messages for part in message.parts]
    roles = [message.role for message in request.messages]
    spoken = next((place for place, role in enumerate(roles) if role is not Role.SYSTEM), len(roles))
    asked = _asked_by(request.parameters)
    if Role.SYSTEM in roles[spoken:]:
        asked.append(Feature.LATE_SYSTEM)
    if not all(type(part) is TextPart for part in parts):
        asked += _asked_by_parts(request.messages, parts)
    return frozenset(asked)


def _asked_by_parts(messages: Sequence[Message], parts: Sequence[Part]) -> list[Feature]:
    asked = (
        (Feature.IMAGES, any(isinstance(part, ImagePart) for part in parts)),
        (Feature.TEXT_AFTER_CALL, any(_speaks_after_calling(message) for message in messages)),
        (Feature.LOOSE_ARGUMENTS, any(isinstance(part, ToolCallPart) and not _is_object(part) for part in parts)),
        (Feature.TOOL_ERRORS, any(isinstance(part, ToolResultPart) and part.is_error for part in parts)),
    )
    return [feature for feature, needed in asked if needed]


def _is_object(call: ToolCallPart) -> bool:
    """Whether the arguments are a JSON object; none at all are an empty one."""
    try:
        return isinstance(json.loads(call.arguments or "{}"), dict)
    except (ValueError, RecursionError):
        return False


def _speaks_after_calling(message: Message) -> bool:
    kinds = [isinstance(part, ToolCallPart) for part in message.parts]
    return kinds != sorted(kinds)


def _asked_by(parameters: Parameters) -> list[Feature]:
    choice = parameters.tool_choice
    asked = (
        (Feature.TOOLS, bool(parameters.tools)),
        (Feature.JSON, parameters.response_format is not None and parameters.response_format.json_schema is None),
        (
            Feature.JSON_SCHEMA,
            parameters.response_format is not None and parameters.response_format.json_schema is not None,
        ),
        (Feature.TEMPERATURE, parameters.temperature is not None),
        (Feature.STOP, bool(parameters.stop)),
        (Feature.MANY_STOPS, len(parameters.stop) > 4),  # Source: OpenAI's Chat Completions, `stop` (2026-11-24)
        (Feature.SEED, parameters.seed is not None),
        (Feature.TOP_P, parameters.top_p is not None),
        (Feature.TOP_K, parameters.top_k is not None),
        (Feature.PENALTIES, bool(parameters.presence_penalty or parameters.frequency_penalty)),
        (Feature.TOOL_CHOICE, choice is not None and (choice.name is not None or choice.use is not ToolUse.AUTO)),
        (Feature.ONE_TOOL_CALL, parameters.parallel_tool_calls is False),
        (Feature.STRICT_TOOLS, any(tool.strict for tool in parameters.tools)),
        (Feature.HIGH_TEMPERATURE, parameters.temperature is not None and parameters.temperature > 1),
    )
    return [feature for feature, needed in asked if needed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Everything a model is held against."""

    size: RequestSize
    features: frozenset[Feature]
    capability: ModelCapability | None  # None: any class will do
    settings: StrategySettings
    is_limited: bool  # money is bounded, so an unknown price cannot be taken
    limit: Usd | None  # the most one call may cost
    model_limits: dict[ModelName, Usd] = field(default_factory=dict)  # and one of such a model
    predicted: frozenset[ModelName] = frozenset()  # models whose class does not matter: their success is known

    def within(self, limit: Usd | None) -> Need:
        """The same, for a call of at most `limit`."""
        return replace(self, limit=limit)

    def limit_of(self, model: ModelName) -> Usd | None:
        """The most a call of the model may cost."""
        limits = (self.limit, self.model_limits.get(model))
        return min((limit for limit in limits if limit is not None), default=None)


def plan_call(model: ModelConfig, need: Need) -> PlannedCall | Exclusion:
    """The call as this model would get it, or why it cannot get it."""
    if excluded := _hard_exclusion(model, need):
        return excluded
    size = need.size
    max_input = min(size.max_input, model.context_window)  # a longer one is refused unbilled
    max_output = min(size.max_output, model.max_tokens, model.context_window - size.expected_input)
    least_output = min(size.expected_output, max_output)
    limit = need.limit_of(model.name)
    if model.price is not None and limit is not None:
        affordable = affordable_output(model.price, input_tokens=max_input, limit=limit, wanted=max_output)
        if affordable < least_output:
            enough = worst_cost(model.price, input_tokens=max_input, output_tokens=least_output)
            return Exclusion(model=model.name, reason=ExclusionReason.MAX_COST, limit=str(enough))
        max_output = affordable
    return _priced(model, size, max_input=max_input, expected_output=least_output, max_output=max_output)


def _priced(
    model: ModelConfig, size: RequestSize, *, max_input: int, expected_output: int, max_output: int
) -> PlannedCall:
    card = model.price
    return PlannedCall(
        model=model.name,
        expected_input_tokens=size.expected_input,
        max_input_tokens=max_input,
        expected_output_tokens=expected_output,
        max_output_tokens=max_output,
        min_cost=None if card is None else _plain_cost(card, size.expected_input, 1),
        expected_cost=None if card is None else _plain_cost(card, size.expected_input, expected_output),
        max_cost=None if card is None else worst_cost(card, input_tokens=max_input, output_tokens=max_output),
    )


def _hard_exclusion(model: ModelConfig, need: Need) -> Exclusion | None:
    """The first reason other than money for which the model cannot take the request."""
    room = model.context_window - need.size.expected_input
    missing = sorted(need.features - model.carries)
    settings = need.settings
    if settings.model not in (None, model.name):
        reason, limit = ExclusionReason.NOT_ASKED, settings.model
    elif settings.provider not in (None, model.provider.value):
        reason, limit = ExclusionReason.PROVIDER, settings.provider
    elif need.capability and model.name not in need.predicted and model.capability.rank < need.capability.rank:
        reason, limit = ExclusionReason.CAPABILITY, model.capability.value
    elif missing:
        reason, limit = ExclusionReason.FEATURE, ", ".join(missing)
    elif room < 1:
        reason, limit = ExclusionReason.CONTEXT_WINDOW, str(model.context_window)
    elif model.price is None and need.is_limited:
        reason, limit = ExclusionReason.UNPRICED, None
    else:
        return None
    return Exclusion(model=model.name, reason=reason, limit=limit)


def asked_for(model: ModelConfig, settings: StrategySettings) -> bool:
    """Whether the caller's choice of model or provider leaves this one in."""
    return settings.model in (None, model.name) and settings.provider in (None, model.provider.value)


def _plain_cost(card: PriceCard, input_tokens: int, output_tokens: int) -> Usd:
    return cost(Usage(input_uncached=input_tokens, output=output_tokens), card)


def by_expected_cost(call: PlannedCall) -> tuple[bool, Usd]:
    """Unknown prices last; equal ones stay in the catalogue's order."""
    return (call.expected_cost is None, call.expected_cost or Usd(0))
