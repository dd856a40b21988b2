"""The plans: a chain in its order, a panel side by side, each within the money there is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.budget import less, total
from model_orchestrator.domain.call_planning import Need, measure, plan_call
from model_orchestrator.domain.catalogue import Feature, ModelCapability, ModelConfig
from model_orchestrator.domain.complexity import TaskType
from model_orchestrator.domain.events import ExclusionReason, Method, PlannedCall, Purpose, StrategySettings
from model_orchestrator.domain.plan_shapes import Shape, chain_shape, panel_shape
from model_orchestrator.domain.policy import SEED_POLICY
from model_orchestrator.domain.request import prompt_request
from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.domain.units import Usd

MODELS = {model.name: model for model in SEED.models}
MINI, HAIKU, SONNET, OPUS = SEED_POLICY.chains["mixed"].models
MIXED = (MINI, HAIKU, SONNET, OPUS)
HARD = SEED_POLICY.panels["hard"]
PANELS = (*SEED_POLICY.panels.values(), (MINI, HAIKU))


def need(limit: str | None = None, *, prompt: str = "What is Python?", **changes: Any) -> Need:
    whole = Need(
        size=measure(prompt_request(prompt), TaskType.QUESTION, ModelCapability.BASIC),
        features=frozenset(),
        capability=None,
        settings=StrategySettings(),
        is_limited=limit is not None,
        limit=None if limit is None else Usd(limit),
    )
    return replace(whole, **changes)


def chain(
    asked: Need | None = None,
    *,
    models: dict[str, ModelConfig] = MODELS,
    names: tuple[str, ...] = MIXED,
    backup: tuple[str, ...] = (),
    assessed: ModelCapability = ModelCapability.BASIC,
    plan_limit: str | None = None,
) -> Shape:
    limit = None if plan_limit is None else Usd(plan_limit)
    return chain_shape(models, names, backup, asked or need(), assessed, plan_limit=limit)


def names_of(shape: Shape) -> list[str]:
    return [call.model for call in shape.plan]


def worst(shape: Shape) -> Usd:
    return total(call.max_cost for call in shape.plan)


# ---- chains ----


@pytest.mark.parametrize("assessed", ModelCapability)
def test_a_chain_starts_at_its_first_model_whatever_the_assessment_says(assessed: ModelCapability) -> None:
    """The answer's confidence decides, not the guess before it."""
    assert names_of(chain(assessed=assessed)) == list(MIXED)


def test_a_model_that_cannot_be_called_is_left_out_and_the_rest_keep_their_order() -> None:
    """No key, or a retired model."""
    assert names_of(chain(models={name: MODELS[name] for name in (MINI, OPUS)})) == [MINI, OPUS]


def test_a_window_too_small_is_a_hard_reason() -> None:
    """And is told."""
    shape = chain(models=MODELS | {HAIKU: replace(MODELS[HAIKU], context_window=4, max_tokens=4)})
    assert names_of(shape) == [MINI, SONNET, OPUS]
    assert [(one.model, one.reason) for one in shape.excluded] == [(HAIKU, ExclusionReason.CONTEXT_WINDOW)]


def test_a_feature_asked_for_is_a_hard_reason() -> None:
    """Only models that carry it stay."""
    shape = chain(need(features=frozenset({Feature.JSON_SCHEMA})))
    assert all(Feature.JSON_SCHEMA in MODELS[name].features for name in names_of(shape))
    assert {one.reason for one in shape.excluded} == {ExclusionReason.FEATURE}
    assert {*names_of(shape), *(one.model for one in shape.excluded)} == set(MIXED)


@pytest.mark.parametrize(
    ("assessed", "left"),
    [
        (ModelCapability.BASIC, MIXED),
        (ModelCapability.INTERMEDIATE, (HAIKU, SONNET, OPUS)),
        (ModelCapability.ADVANCED, (SONNET, OPUS)),
        (ModelCapability.EXPERT, (SONNET, OPUS)),
    ],
)
def test_a_capable_start_skips_weaker_models_and_keeps_one_to_escalate_to(
    assessed: ModelCapability, left: tuple[str, ...]
) -> None:
    """Where the first capable model is the last, the one before it is kept."""
    asked = need(settings=StrategySettings(start_capable=True))
    assert names_of(chain(asked, assessed=assessed)) == list(left)


def test_a_backup_comes_after_the_chain_and_says_so() -> None:
    """Where nothing of the chain can be called it is the chain."""
    shape = chain(names=(MINI,), backup=(HAIKU, SONNET))
    assert [(call.model, call.is_backup) for call in shape.plan] == [(MINI, False), (HAIKU, True), (SONNET, True)]
    only = chain(models={HAIKU: MODELS[HAIKU]}, names=(MINI,), backup=(HAIKU,))
    assert [(call.model, call.is_backup) for call in only.plan] == [(HAIKU, False)]


limits = st.integers(1, 10**11).map(lambda picos: format(Usd(picos).scaleb(-12), "f"))


@given(limits)
def test_a_chain_is_shortened_from_its_end_until_all_of_it_fits(limit: str) -> None:
    """What is left is a beginning of the chain of which each call alone fits, and what went is told."""
    shape = chain(need(limit), plan_limit=limit)
    fitting = [call.model for call in shape.candidates]
    assert names_of(shape) == fitting[: len(shape.plan)]
    assert list(shape.dropped) == fitting[len(shape.plan) :]
    assert worst(shape) <= Usd(limit)
    assert bool(shape.plan) == bool(fitting)
    assert {*fitting, *(one.model for one in shape.excluded)} == set(MIXED)


@given(limits)
def test_each_call_of_a_chain_fits_what_those_before_may_leave_of_the_limit(limit: str) -> None:
    """Where twice their expected cost leaves enough for its expected answer; where not, it fits the limit alone."""
    asked = need(limit)
    plan = chain(asked).plan
    for place, call in enumerate(plan):
        before = total(one for other in plan[:place] for one in (other.expected_cost, other.expected_cost))
        shorter = plan_call(MODELS[call.model], asked.within(less(Usd(limit), before)))
        assert call.max_cost is not None
        assert call.max_cost <= (less(Usd(limit), before) if isinstance(shorter, PlannedCall) else Usd(limit))


def test_a_pair_that_answers_at_once_fits_the_limit_together() -> None:
    """The second's answer is kept as short as the first's worst price demands."""
    whole = total(call.max_cost for call in chain(names=(MINI, HAIKU)).plan)
    limit = format(less(whole, Usd("0.0001")), "f")
    asked = need(limit, settings=StrategySettings(verify_agreement=True))
    assert worst(chain(asked, names=(MINI, HAIKU))) <= Usd(limit)


# ---- panels ----


def test_a_panel_asks_all_of_its_members() -> None:
    """In the order of the panel, with no limit."""
    shape = panel_shape(MODELS, HARD, need(), method=None)
    assert names_of(shape) == list(HARD)
    assert not shape.dropped


@pytest.mark.parametrize(("method", "purpose"), [(Method.JUDGE, Purpose.JUDGE), (Method.FUSE, Purpose.SYNTHESIS)])
def test_the_most_capable_member_judges_or_writes(method: Method, purpose: Purpose) -> None:
    """Its call comes last, and has room for the answers it reads."""
    shape = panel_shape(MODELS, HARD, need(), method=method)
    *members, helper = shape.plan
    assert [call.purpose for call in members] == [Purpose.ANSWER] * 3
    assert (helper.model, helper.purpose) == (OPUS, purpose)
    assert helper.max_input_tokens > sum(call.max_output_tokens for call in members)


def test_with_less_money_first_the_judge_goes_then_the_third_then_the_length() -> None:
    """Answers are shortened only where two whole ones do not fit."""
    whole = panel_shape(MODELS, HARD, need(), method=Method.JUDGE)
    three = worst(replace(whole, plan=whole.plan[:3]))
    two = worst(replace(whole, plan=whole.plan[:2]))
    assert names_of(limited(worst(whole))) == [*HARD, OPUS]
    assert names_of(limited(three)) == list(HARD)
    pair = limited(two)
    assert names_of(pair) == list(HARD[:2])
    assert pair.plan == whole.plan[:2]
    assert pair.dropped == (HARD[2],)
    short = limited(Usd(format(two - Usd("0.001"), "f")))
    assert names_of(short) == list(HARD[:2])
    assert all(
        few.max_output_tokens < full.max_output_tokens for few, full in zip(short.plan[:1], whole.plan[:1], strict=True)
    )


def limited(limit: Usd) -> Shape:
    return panel_shape(MODELS, HARD, need(format(limit, "f")), method=Method.JUDGE)


@given(limits, st.sampled_from(PANELS), st.sampled_from([None, Method.JUDGE, Method.FUSE, Method.VOTE]))
def test_no_panel_costs_more_than_its_limit(limit: str, panel: tuple[str, ...], method: Method | None) -> None:
    """Whatever it is asked, and whatever is asked after it; every member is planned, dropped or excluded."""
    shape = panel_shape(MODELS, panel, need(limit), method=method)
    assert worst(shape) <= Usd(limit)
    answers = [call for call in shape.plan if call.purpose is Purpose.ANSWER]
    assert all(call.max_output_tokens >= call.expected_output_tokens for call in answers)
    told = [*(call.model for call in answers), *shape.dropped, *(one.model for one in shape.excluded)]
    assert sorted(told) == sorted(panel)


@given(limits, st.sampled_from(PANELS))
def test_a_panel_that_no_money_lets_through_names_what_would(limit: str, panel: tuple[str, ...]) -> None:
    """The figure of the refusal is enough."""
    shape = panel_shape(MODELS, panel, need(limit), method=None)
    if not shape.plan:
        assert shape.needed is not None
        assert panel_shape(MODELS, panel, need(str(shape.needed)), method=None).plan
