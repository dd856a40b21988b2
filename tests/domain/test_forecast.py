"""What learned weights say decides who is asked; a draw may decide otherwise, with a probability that is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.events import ExclusionReason, RoutingDecided, StrategySettings
from model_orchestrator.domain.forecast import explored, forecast
from model_orchestrator.domain.policy import SEED_POLICY
from model_orchestrator.domain.request import prompt_request
from model_orchestrator.domain.routing import RoutingInputs, decide
from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.domain.units import MILLION, Probability, Usd, probability
from tests.domain.test_routing import assessment_of
from tests.scenario import planned

PLAIN = prompt_request("What is Python?")
LEARNED = replace(SEED_POLICY, router="routing-1", target=probability(0.8), version="learned-1")


def route(
    success: dict[str, float], *, strategy: str = "cheapest", max_cost: str | None = None, **more: Any
) -> RoutingDecided:
    draw = more.pop("draw", None)
    return decide(
        RoutingInputs(
            request=PLAIN,
            assessment=assessment_of(PLAIN),
            usable=SEED.models,
            unusable=(),
            strategy=strategy,
            settings=StrategySettings(**more),
            policy=LEARNED,
            max_cost=None if max_cost is None else Usd(max_cost),
            forecast=forecast("routing-1", LEARNED.target, success, SEED.models),
            draw=draw,
        )
    )


ALL = {
    "gpt-4o-mini": 0.4,
    "claude-haiku-3.5": 0.7,
    "gpt-4o": 0.82,
    "claude-sonnet-3.5": 0.9,
    "claude-opus-3": 0.95,
    "gpt-4": 0.6,
}


def test_the_cheapest_model_that_reaches_the_target_is_asked() -> None:
    """Though the class assessed would take the cheapest of all; what was read is in the decision."""
    decision = route(ALL)
    assert decision.plan[0].model == "gpt-4o"
    assert [one.model for one in decision.candidates][:2] == ["gpt-4o", "claude-sonnet-3.5"]
    assert decision.forecast is not None
    assert {one.model: one.success for one in decision.forecast.predictions} == {
        name: probability(value) for name, value in ALL.items()
    }
    assert (decision.forecast.weights, decision.forecast.target) == ("routing-1", 800_000)


def test_where_none_reaches_it_the_best_that_can_be_paid_is_asked() -> None:
    """The limit leaves out what it does not cover."""
    low = {name: value / 2 for name, value in ALL.items()}
    assert route(low).plan[0].model == "claude-opus-3"
    limited = route(low, max_cost="0.005")
    assert limited.plan[0].model == "claude-sonnet-3.5"
    assert "claude-opus-3" in {one.model for one in limited.excluded if one.reason is ExclusionReason.MAX_COST}


def test_a_model_the_weights_do_not_know_goes_by_its_class_and_is_marked() -> None:
    """It counts as good enough where its class reaches the one assessed, and is no candidate where not."""
    known = {name: value for name, value in ALL.items() if name != "gpt-4o-mini"}
    decision = route(known)
    assert decision.plan[0].model == "gpt-4o-mini"
    assert decision.forecast is not None
    assert [one.model for one in decision.forecast.predictions if one.success is None] == ["gpt-4o-mini"]
    hard = replace(assessment_of(PLAIN), capability=SEED.models[-1].capability)
    inputs = RoutingInputs(
        request=PLAIN,
        assessment=hard,
        usable=SEED.models,
        unusable=(),
        policy=LEARNED,
        forecast=forecast("routing-1", LEARNED.target, known, SEED.models),
    )
    assert ("gpt-4o-mini", ExclusionReason.CAPABILITY) in {(one.model, one.reason) for one in decide(inputs).excluded}


def test_a_model_is_found_by_its_name_on_the_wire_too() -> None:
    """Weights are trained on dated names."""
    found = forecast("r", LEARNED.target, {"gpt-4o-mini-2024-07-18": 0.25}, SEED.models)
    assert next(one.success for one in found.predictions if one.model == "gpt-4o-mini") == 250_000


def test_a_named_model_and_other_strategies_read_no_forecast() -> None:
    """They decide as ever."""
    assert route(ALL, model="gpt-4").plan[0].model == "gpt-4"
    assert route(ALL, model="gpt-4").forecast is None
    assert route(ALL, strategy="fallback").forecast is None


@given(st.integers(0, MILLION), st.integers(1, 7))
def test_propensities_are_exact(epsilon: int, count: int) -> None:
    """They add up to one, and each is the share of draws that ask the candidate."""
    calls = [planned(f"m{number}") for number in range(count)]
    _, found = explored(Probability(epsilon), Probability(0), calls)
    assert sum(one.probability for one in found.propensities) == MILLION
    edges = {0, max(0, epsilon - 1), min(epsilon, MILLION - 1), MILLION - 1}
    for draw in edges:
        chosen, _ = explored(Probability(epsilon), Probability(draw), calls)
        assert found.propensities[chosen].probability > 0
        assert draw < epsilon or chosen == 0


def test_each_candidate_is_drawn_as_often_as_its_propensity_says() -> None:
    """All draws, counted."""
    calls = [planned(f"m{number}") for number in range(3)]
    epsilon = Probability(100)
    drawn = Counter(explored(epsilon, Probability(draw), calls)[0] for draw in range(200))
    _, found = explored(epsilon, Probability(0), calls)
    below = [drawn[0] - 100, drawn[1], drawn[2]]
    assert below == [
        found.propensities[0].probability - (MILLION - 100),
        *(one.probability for one in found.propensities[1:]),
    ]


def test_an_explored_candidate_is_one_that_can_be_paid() -> None:
    """A budget holds for whoever is drawn."""
    for draw in range(0, MILLION, 50_000):
        decision = route(ALL, max_cost="0.005", explore=MILLION, draw=Probability(draw))
        assert decision.exploration is not None
        assert decision.exploration.draw == draw
        assert decision.plan[0].max_cost is not None
        assert decision.plan[0].max_cost <= Usd("0.005")
        assert "claude-opus-3" not in {one.model for one in decision.exploration.propensities}


def test_without_a_draw_nothing_is_explored() -> None:
    """As in a dry run."""
    assert route(ALL, explore=MILLION).exploration is None
