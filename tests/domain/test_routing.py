"""The choice: the cheapest model that can, by what this request would cost, and a reason for each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.budget import plan_hold
from model_orchestrator.domain.call_planning import features_asked
from model_orchestrator.domain.catalogue import (
    EVERY_REQUEST_FEATURE,
    Feature,
    ModelCapability,
    ModelConfig,
    ModelProvider,
)
from model_orchestrator.domain.complexity import ComplexityAnalyzer, TaskType
from model_orchestrator.domain.events import (
    Exclusion,
    ExclusionReason,
    Headroom,
    Method,
    PromptAssessed,
    RoutingDecided,
    StrategySettings,
)
from model_orchestrator.domain.policy import SEED_POLICY
from model_orchestrator.domain.request import (
    ImagePart,
    Message,
    Parameters,
    Request,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    ToolUse,
    prompt_request,
)
from model_orchestrator.domain.routing import RoutingInputs, decide
from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.domain.units import Usd

PLAIN = prompt_request("What is Python?")


def route(
    request: Request = PLAIN,
    *,
    usable: tuple[ModelConfig, ...] = SEED.models,
    unusable: tuple[Exclusion, ...] = (),
    max_cost: str | None = None,
    strategy: str = "cheapest",
    budgets: tuple[tuple[str, str], ...] = (),
    headroom: tuple[Headroom, ...] = (),
    **settings: Any,
) -> RoutingDecided:
    """The decision for a request, assessed by the built-in analyzer."""
    return decide(
        RoutingInputs(
            request=request,
            assessment=assessment_of(request),
            usable=usable,
            unusable=unusable,
            strategy=strategy,
            settings=StrategySettings(**settings),
            policy=SEED_POLICY,
            max_cost=None if max_cost is None else Usd(max_cost),
            budgets=budgets,
            headroom=headroom,
        )
    )


def assessment_of(request: Request) -> PromptAssessed:
    found = ComplexityAnalyzer().assess(request)
    return PromptAssessed(
        capability=found.capability,
        confidence=found.confidence,
        task_type=found.task_type,
        signals=found.signals,
        assessor=found.assessor,
    )


def reasons(decision: RoutingDecided) -> dict[str, ExclusionReason]:
    return {one.model: one.reason for one in decision.excluded}


def test_a_plain_question_goes_to_the_cheapest_model() -> None:
    """The seed's example; every other model is a candidate, in order of cost."""
    decision = route()
    assert [call.model for call in decision.plan] == ["gpt-4o-mini"]
    costs = [candidate.expected_cost for candidate in decision.candidates]
    assert len(costs) == len(SEED.models)
    assert costs == sorted(costs, key=lambda cost: cost or Usd(0))


def test_an_open_design_goes_to_the_expert_and_each_other_model_has_its_reason() -> None:
    """The seed's other example."""
    decision = route(prompt_request("Design a distributed system"))
    assert [call.model for call in decision.plan] == ["claude-opus-3"]
    assert set(reasons(decision).values()) == {ExclusionReason.CAPABILITY}
    assert len(decision.excluded) == len(SEED.models) - 1


def test_the_cheapest_is_by_this_request_not_by_the_price_list() -> None:
    """A model with dear input and cheap output wins where the answer is long and the prompt short."""
    base = SEED.models[0]
    long_answers = ModelConfig("a", base.provider, price=card("10", "0.1"), max_tokens=4000, context_window=10**6)
    long_prompts = ModelConfig("b", base.provider, price=card("0.1", "10"), max_tokens=4000, context_window=10**6)
    both = (long_prompts, long_answers)
    assert route(usable=both).plan[0].model == "a"
    assert route(prompt_request("Summarise this. " + "word " * 20_000), usable=both).plan[0].model == "b"


def card(input_price: str, output_price: str) -> Any:
    from model_orchestrator.domain.pricing import PriceCard

    return PriceCard(id="test", input=Usd(input_price), output=Usd(output_price))


def test_a_named_model_is_the_only_candidate_whatever_its_class() -> None:
    """The caller's word settles it."""
    decision = route(prompt_request("Design a distributed system"), model="gpt-4o-mini")
    assert [call.model for call in decision.plan] == ["gpt-4o-mini"]
    assert set(reasons(decision).values()) == {ExclusionReason.NOT_ASKED}


def test_a_named_provider_leaves_the_others_out() -> None:
    """With that reason."""
    decision = route(provider="anthropic")
    assert decision.plan[0].model == "claude-haiku-3.5"
    assert reasons(decision)["gpt-4o"] is ExclusionReason.PROVIDER


def test_what_cannot_be_called_keeps_its_reason() -> None:
    """A missing key is told in the decision."""
    no_key = Exclusion(model="gpt-4", reason=ExclusionReason.NO_KEY, limit="OPENAI_API_KEY")
    decision = route(usable=tuple(m for m in SEED.models if m.provider is ModelProvider.ANTHROPIC), unusable=(no_key,))
    assert no_key in decision.excluded
    assert "gpt-4" not in decision.usable


def test_where_no_usable_model_reaches_the_class_the_highest_takes_it_and_it_is_said() -> None:
    """A user with one small model gets an answer, and the decision shows what was kept to."""
    small = (SEED.get("gpt-4o-mini"),)
    decision = route(prompt_request("Design a distributed system"), usable=small)  # type: ignore[arg-type]
    assert decision.plan[0].model == "gpt-4o-mini"
    assert decision.capability is ModelCapability.BASIC


def test_a_prompt_over_every_context_window_has_no_candidate() -> None:
    """Before the wire, with the window as the reason."""
    decision = route(prompt_request("word " * 300_000))
    assert not decision.plan
    assert decision.needed is None
    assert ExclusionReason.CONTEXT_WINDOW in reasons(decision).values()


def test_a_feature_asked_for_excludes_models_without_it() -> None:
    """Never dropped silently."""
    image = Request(messages=(Message(role=Role.USER, parts=(ImagePart(url="http://localhost/a.png"),)),))
    tools = replace(PLAIN, parameters=Parameters(tools=(Tool(name="look"),)))
    assert features_asked(image) == {Feature.IMAGES}
    assert features_asked(tools) == {Feature.TOOLS}
    without = tuple(m for m in SEED.models if Feature.IMAGES not in m.features)
    assert without, "the seed has a model that sees no images"
    decision = route(image)
    assert all(reasons(decision)[m.name] in (ExclusionReason.FEATURE, ExclusionReason.CAPABILITY) for m in without)


CALLED = ToolCallPart(id="c", name="t", arguments="{}")
ASKED_OF_A_MODEL: dict[Feature, Parameters] = {
    Feature.TOP_P: Parameters(top_p=0.5),
    Feature.TOP_K: Parameters(top_k=5),
    Feature.PENALTIES: Parameters(presence_penalty=1),
    Feature.TOOL_CHOICE: Parameters(tool_choice=ToolChoice(use=ToolUse.NONE)),
    Feature.ONE_TOOL_CALL: Parameters(parallel_tool_calls=False),
}
LACKING: dict[str, tuple[Request, ModelProvider, Feature]] = {
    "a penalty at Anthropic": (
        replace(PLAIN, parameters=Parameters(frequency_penalty=1)),
        ModelProvider.ANTHROPIC,
        Feature.PENALTIES,
    ),
    "a high temperature at Anthropic": (
        replace(PLAIN, parameters=Parameters(temperature=1.5)),
        ModelProvider.ANTHROPIC,
        Feature.HIGH_TEMPERATURE,
    ),
    "a late system message at Anthropic": (
        replace(PLAIN, messages=(*PLAIN.messages, Message(role=Role.SYSTEM, parts=(TextPart(text="s"),)))),
        ModelProvider.ANTHROPIC,
        Feature.LATE_SYSTEM,
    ),
    "loose arguments at Anthropic": (
        replace(
            PLAIN,
            messages=(*PLAIN.messages, Message(role=Role.ASSISTANT, parts=(replace(CALLED, arguments="[1]"),))),
        ),
        ModelProvider.ANTHROPIC,
        Feature.LOOSE_ARGUMENTS,
    ),
    "top_k at OpenAI": (replace(PLAIN, parameters=Parameters(top_k=5)), ModelProvider.OPENAI, Feature.TOP_K),
    "five stop sequences at OpenAI": (
        replace(PLAIN, parameters=Parameters(stop=tuple("abcde"))),
        ModelProvider.OPENAI,
        Feature.MANY_STOPS,
    ),
    "a tool's error mark at OpenAI": (
        replace(
            PLAIN,
            messages=(
                *PLAIN.messages,
                Message(role=Role.ASSISTANT, parts=(CALLED,)),
                Message(role=Role.TOOL, parts=(ToolResultPart(call_id="c", text="no", is_error=True),)),
            ),
        ),
        ModelProvider.OPENAI,
        Feature.TOOL_ERRORS,
    ),
    "text after a tool call at OpenAI": (
        replace(PLAIN, messages=(*PLAIN.messages, Message(role=Role.ASSISTANT, parts=(CALLED, TextPart(text="then"))))),
        ModelProvider.OPENAI,
        Feature.TEXT_AFTER_CALL,
    ),
}


@pytest.mark.parametrize("feature", ASKED_OF_A_MODEL)
def test_a_parameter_asks_for_a_feature(feature: Feature) -> None:
    """A model without it is not asked."""
    assert features_asked(replace(PLAIN, parameters=ASKED_OF_A_MODEL[feature])) == {feature}


def test_what_is_usual_asks_for_no_feature() -> None:
    """Whether it is said or not."""
    usual = Parameters(tool_choice=ToolChoice(use=ToolUse.AUTO), parallel_tool_calls=True, presence_penalty=0)
    assert features_asked(replace(PLAIN, parameters=usual)) == frozenset()


@pytest.mark.parametrize("what", LACKING)
def test_what_a_protocol_cannot_say_leaves_its_models_out(what: str) -> None:
    """As a reason in the decision, whatever features the model itself lists."""
    request, provider, feature = LACKING[what]
    models = tuple(
        ModelConfig(one.value, one, price=card("1", "1"), context_window=10**6, features=EVERY_REQUEST_FEATURE)
        for one in ModelProvider
    )
    decision = route(request, usable=models)
    assert {one.model: (one.reason, one.limit) for one in decision.excluded} == {
        provider.value: (ExclusionReason.FEATURE, feature.value)
    }
    assert [call.model for call in decision.plan] == [one.value for one in ModelProvider if one is not provider]


def test_a_server_other_than_openais_own_takes_many_stop_sequences() -> None:
    """The limit of four is the vendor's."""
    five = replace(PLAIN, parameters=Parameters(stop=tuple("abcde")))
    local = ModelConfig(
        "local", ModelProvider.OPENAI, price=card("1", "1"), context_window=10**6, base_url="http://localhost"
    )
    assert [call.model for call in route(five, usable=(local,)).plan] == ["local"]


def test_a_model_without_price_cannot_run_under_a_limit() -> None:
    """Without one it comes after every model with a price."""
    unknown = ModelConfig("unknown", ModelProvider.OPENAI, max_tokens=4000, context_window=10**6)
    assert route(usable=(unknown, *SEED.models)).candidates[-1].model == "unknown"
    limited = route(usable=(unknown,), max_cost="1")
    assert reasons(limited) == {"unknown": ExclusionReason.UNPRICED}


def test_a_local_model_of_price_zero_is_cheapest_and_fits_a_limit_of_zero() -> None:
    """Free is a price."""
    free = ModelConfig("local", ModelProvider.OPENAI, price=card("0", "0"), max_tokens=512, context_window=4096)
    decision = route(usable=(*SEED.models, free), max_cost="0")
    assert [call.model for call in decision.plan] == ["local"]
    assert decision.plan[0].max_cost == Usd("0")


prompts = st.text(max_size=300).filter(str.strip).map(prompt_request)
limits = st.integers(0, 10**10).map(lambda picos: str(Usd(picos).scaleb(-12)))


@given(prompts, limits, st.integers(1, 5000))
def test_no_plan_can_cost_more_than_the_limit_and_a_refusal_names_one_that_fits(
    request: Request, limit: str, max_tokens: int
) -> None:
    """The limit is a cap; the figure of a refusal is exactly enough, and one picodollar less is not."""
    request = replace(request, parameters=Parameters(max_tokens=max_tokens))
    decision = route(request, max_cost=limit)
    for call in decision.plan:
        assert call.max_cost is not None
        assert call.max_cost <= Usd(limit)
        assert 1 <= call.max_output_tokens <= max_tokens
    if decision.needed is not None:
        assert not decision.plan
        assert route(request, max_cost=str(decision.needed)).plan
        assert not route(request, max_cost=format(decision.needed - Usd("0.000000000001"), "f")).plan


@given(prompts)
def test_every_model_is_a_candidate_or_has_its_reason(request: Request) -> None:
    """Exactly one of the two, and a plan is made of candidates."""
    decision = route(request)
    told = [candidate.model for candidate in decision.candidates] + [one.model for one in decision.excluded]
    assert sorted(told) == sorted(model.name for model in SEED.models)
    assert {call.model for call in decision.plan} <= {candidate.model for candidate in decision.candidates}


@given(prompts)
def test_expected_bounds_and_prices_are_in_order(request: Request) -> None:
    """Least, expected, worst."""
    for call in route(request).plan:
        assert call.min_cost is not None
        assert call.expected_cost is not None
        assert call.max_cost is not None
        assert call.min_cost <= call.expected_cost <= call.max_cost
        assert call.expected_input_tokens <= call.max_input_tokens
        assert call.expected_output_tokens <= call.max_output_tokens


@pytest.mark.parametrize("task_type", TaskType)
def test_every_task_type_has_an_expected_length(task_type: TaskType) -> None:
    """At every class it can be assessed at; a decision never fails for want of one."""
    for capability in ModelCapability:
        assessment = replace(assessment_of(PLAIN), task_type=task_type, capability=capability)
        inputs = RoutingInputs(
            request=PLAIN, assessment=assessment, usable=SEED.models, unusable=(), policy=SEED_POLICY
        )
        decision = decide(inputs)
        assert decision.plan[0].expected_output_tokens > 0


@pytest.mark.parametrize("method", [Method.JUDGE, Method.FUSE])
@pytest.mark.parametrize("limit", ["0.004", "0.08", "0.2"])
def test_a_member_that_also_judges_keeps_to_its_own_budget(method: Method, limit: str) -> None:
    """Both of its calls together."""
    headroom = tuple(
        Headroom(scope=f"model:{model.name}", period="day", limit=Usd(limit), held=Usd("0"), settled=Usd("0"))
        for model in SEED.models
    )
    plan = route(strategy="ensemble", method=method, headroom=headroom, budgets=(("global", "day"),)).plan
    assert plan
    for one in headroom:
        assert plan_hold(one.scope, plan, None) <= one.limit
