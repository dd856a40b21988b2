"""Policies over runs of the log: what was observed counts as observed, and the rest is said to be unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model_orchestrator.application.backtest_history import HistoryPlayer, PastWorld
from model_orchestrator.application.backtest_outcome import as_it_ran
from model_orchestrator.application.backtest_runs import PastAttempt, PastCall, PastRouting, PastRun, PastStart
from model_orchestrator.application.backtest_tally import Played
from model_orchestrator.domain.catalogue import Catalogue, ModelConfig, ModelProvider
from model_orchestrator.domain.events import (
    ContentRef,
    Exploration,
    Forecast,
    Prediction,
    Propensity,
    Purpose,
    StrategySettings,
)
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.policy import SEED_POLICY, Policy
from model_orchestrator.domain.pricing import PriceCard, PriceTier
from model_orchestrator.domain.request import prompt_request
from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.domain.units import Probability, Usd, probability
from tests.scenario import assessed
from tests.weights import router


def card(name: str, given: int, written: int, above: int | None = None) -> PriceCard:
    tiers = () if above is None else (PriceTier(above=above, input=Usd(given * 4), output=Usd(written * 4)),)
    return PriceCard(id=name, input=Usd(given), output=Usd(written), tiers=tiers)


MINI, HAIKU, SONNET, GPT4O = "gpt-4o-mini", "claude-haiku-3.5", "claude-sonnet-3.5", "gpt-4o"
NAMES = tuple(model.name for model in SEED.models)


def attempt(number: int, model: str, score: int, **more: Any) -> PastAttempt:
    fields: dict[str, Any] = {
        "latency": 1_000_000,
        "finish_reason": FinishReason.STOP,
        "cost": number * 10**6,
        "scores": {"heuristic-1": score},
    }
    return PastAttempt(number, model, Purpose.ANSWER, **fields | more)


def past(*attempts: PastAttempt, strategy: str = "cheapest", plan: tuple[str, ...] = (MINI,), **more: Any) -> PastRun:
    """A run of a simple question; its last attempt's answer was given."""
    routing = PastRouting(
        strategy=strategy,
        plan=tuple(
            PastCall(
                model=name,
                expected_input_tokens=10,
                max_input_tokens=20,
                max_output_tokens=1024,
                purpose=Purpose.ANSWER,
            )
            for name in plan
        ),
        excluded=(),
        usable=NAMES,
        threshold=Probability(700_000) if strategy == "fallback" else None,
        method=None,
        exploration=more.pop("exploration", None),
        forecast=more.pop("forecast", None),
    )
    start = PastStart(
        strategy=strategy,
        settings=more.pop("settings", StrategySettings()),
        provider="live",
        category="orchestration",
        catalogue="seed",
        request=more.pop("request", None),
    )
    fields: dict[str, Any] = {
        "assessment": assessed(),
        "routing": routing,
        "attempts": {one.number: one for one in attempts},
        "escalations": len(attempts) - 1,
        "final": attempts[-1].number,
        "ended_at": 5_000_000,
    }
    return PastRun("run-1", 0, start, **fields | more)


def player(policy: Policy = SEED_POLICY, strategy: str | None = None, **more: Any) -> HistoryPlayer:
    text = more.pop("text", lambda reference: None)
    world = PastWorld(catalogue=SEED, policy=policy, strategy=strategy, **more)
    return HistoryPlayer({"seed": world}, world, text)


def ending_at(threshold: float) -> Policy:
    """The built-in policy, its chain trusting from there."""
    mixed = replace(SEED_POLICY.chains["mixed"], threshold=probability(threshold))
    return replace(SEED_POLICY, chains={**SEED_POLICY.chains, "mixed": mixed})


def test_the_policy_that_was_in_force_comes_to_what_was_done() -> None:
    """Its run is the outcome, label and all."""
    run = past(attempt(1, MINI, 900_000), labels={(None, "me"): 1_000_000})
    assert (
        player().play(run)
        == as_it_ran(run)
        == Played(quality=1.0, cost=10**6, calls=1, escalations=0, latency=5_000_000)
    )


def test_a_chain_is_walked_over_the_answers_there_are() -> None:
    """A lower threshold would have stopped at the first; nothing more is paid."""
    chain = (MINI, HAIKU, SONNET, "claude-opus-3")
    run = past(attempt(1, MINI, 600_000), attempt(2, HAIKU, 900_000), strategy="fallback", plan=chain)
    assert player().play(run).cost == 3 * 10**6
    lower = replace(
        SEED_POLICY,
        chains={**SEED_POLICY.chains, "mixed": replace(SEED_POLICY.chains["mixed"], threshold=probability(0.5))},
    )
    assert player(lower).play(run) == Played(
        scored=("heuristic-1", 600_000), cost=10**6, calls=1, escalations=0, latency=1_000_000
    )


def test_beyond_the_answers_there_are_nothing_is_known() -> None:
    """The next model's answer was never seen: its cost is as planned where it is next, its quality unknown."""
    chain = (MINI, HAIKU, SONNET, "claude-opus-3")
    run = past(attempt(1, MINI, 900_000), strategy="fallback", plan=chain, labels={(None, "me"): 1_000_000})
    higher = replace(
        SEED_POLICY,
        chains={**SEED_POLICY.chains, "mixed": replace(SEED_POLICY.chains["mixed"], threshold=probability(0.95))},
    )
    found = player(higher).play(run)
    assert (found.quality, found.scored, found.cost, found.calls) == (None, None, None, None)
    assert found.planned is not None
    assert found.planned > 10**6


def test_scores_of_another_scorer_decide_no_chain() -> None:
    """A threshold of one scorer says nothing of another's scores; what `runs rescore` added does."""
    chain = (MINI, HAIKU, SONNET, "claude-opus-3")
    other = replace(SEED_POLICY, scorer="learned-1")
    run = past(attempt(1, MINI, 900_000), strategy="fallback", plan=chain)
    assert player(other).play(run) == Played()
    run.attempts[1].scores["learned-1"] = 800_000
    assert player(other).play(run).cost == 10**6


def test_another_model_than_the_one_asked_is_unknown() -> None:
    """Also where its answer would have been cheaper."""
    run = past(attempt(1, GPT4O, 900_000), plan=(GPT4O,), settings=StrategySettings(), labels={(None, "me"): 0})
    found = player().play(run)
    assert (found.quality, found.cost) == (None, None)
    assert found.planned is not None


def test_a_label_belongs_to_the_answer_that_was_given() -> None:
    """An earlier answer of the chain has its own, or none."""
    run = past(attempt(1, MINI, 600_000), attempt(2, HAIKU, 900_000), strategy="fallback", plan=(MINI, HAIKU))
    run.labels = {(None, "me"): 1_000_000, (None, "test"): 0}
    assert run.label(2) == 0.5
    assert run.label(1) is None
    run.labels[1, "me"] = 250_000
    assert run.label(1) == 0.25


@pytest.mark.parametrize("asked", [MINI, HAIKU])
def test_chances_count_only_where_the_policy_makes_the_logged_choice(asked: str) -> None:
    """By how likely that was."""
    chances = tuple(Propensity(model=name, probability=Probability(500_000)) for name in (MINI, HAIKU))
    exploration = Exploration(epsilon=Probability(1_000_000), draw=Probability(0), propensities=chances)
    run = past(attempt(1, asked, 900_000), plan=(asked,), exploration=exploration)
    found = player().play(run)
    assert found.is_drawn
    assert found.propensity == (0.5 if asked == MINI else None)


def test_recorded_predictions_of_the_same_weights_need_no_text() -> None:
    """Other weights read the prompt again; where it is erased the run is unknown."""
    said = {MINI: 0.2, HAIKU: 0.9}
    predictions = tuple(
        Prediction(model=name, success=probability(said[name]) if name in said else None) for name in NAMES
    )
    recorded = Forecast(weights="routing-test", target=probability(0.8), predictions=predictions)
    learned = replace(SEED_POLICY, router="routing-test", target=probability(0.85))
    run = past(attempt(1, HAIKU, 900_000), plan=(HAIKU,), forecast=recorded, request=ContentRef("c-1", ""))
    assert player(learned, router=router({})).play(run).cost == 10**6
    other = replace(router({HAIKU: 0.9, MINI: 0.1, GPT4O: 0.1}), version="routing-other")
    assert player(learned, router=other).decision(run) is None
    read = player(learned, router=other, text=lambda reference: prompt_request("What is Python?")).decision(run)
    assert read is not None
    assert read.forecast is not None
    assert read.forecast.weights == "routing-other"


def test_a_run_that_decided_nothing_is_unknown() -> None:
    run = past(attempt(1, MINI, 900_000), routing=None)
    assert player().play(run) == Played()


@given(
    st.integers(1, 9_000) | st.integers(1, 200_000),
    st.integers(1, 9_000) | st.integers(1, 200_000),
    st.sampled_from(["cheapest", "ensemble"]),
)
@example(4_900, 5_100, "cheapest")
@example(7_000, 8_300, "cheapest")
@example(9_000, 150_001, "cheapest")
@settings(max_examples=80, deadline=None)
def test_a_decision_that_is_taken_once_for_many_sizes_is_the_one_of_each(
    first: int, second: int, strategy: str
) -> None:
    """The same models in the same order, as the live decision has them for exactly this size; costs by the size."""
    catalogue = Catalogue("x", (*SEED.models, *CROSSING))
    world = PastWorld(catalogue=catalogue, policy=SEED_POLICY, strategy=strategy)
    both, alone = HistoryPlayer({}, world), HistoryPlayer({}, world)
    runs = [sized(number, tuple(model.name for model in catalogue.models)) for number in (first, second)]
    both.decision(runs[0])
    found, exact = both.decision(runs[1]), alone.decision(runs[1])
    assert found is not None
    assert exact is not None
    assert [call.model for call in found.candidates] == [call.model for call in exact.candidates]
    assert [call.model for call in found.plan] == [call.model for call in exact.plan]
    assert found.excluded == exact.excluded
    assert both.play(runs[1]) == alone.play(runs[1])


def sized(tokens: int, usable: tuple[str, ...]) -> PastRun:
    run = past(attempt(1, "gpt-4", 900_000), plan=("gpt-4",))
    assert run.routing is not None
    calls = tuple(replace(call, expected_input_tokens=tokens, max_input_tokens=tokens) for call in run.routing.plan)
    run.routing = replace(run.routing, plan=calls, usable=usable)
    return run


# Dear to ask and cheap to answer, and the other way; one whose prices change with length.
CROSSING = (
    ModelConfig("wordy", ModelProvider.OPENAI, price=card("wordy", 1, 90), context_window=150_000),
    ModelConfig("reader", ModelProvider.OPENAI, price=card("reader", 8, 2), context_window=150_000),
    ModelConfig("tiered", ModelProvider.OPENAI, price=card("tiered", 2, 3, above=5_000), context_window=150_000),
)


def test_what_rescore_added_is_not_how_the_run_was_decided() -> None:
    """The run trusted its own scorer; by the added scores the chain would have gone on, or have stopped before."""
    chain = (MINI, HAIKU, SONNET, "claude-opus-3")
    other = replace(SEED_POLICY, scorer="learned-1")
    stopped = past(attempt(1, MINI, 900_000), strategy="fallback", plan=chain)
    stopped.attempts[1].scores["learned-1"] = 100_000
    found = player(other).play(stopped)
    assert found.cost is None
    assert found.planned is not None
    went_on = past(attempt(1, MINI, 100_000), attempt(2, HAIKU, 900_000), strategy="fallback", plan=chain)
    for one in went_on.attempts.values():
        one.scores["learned-1"] = 800_000
    assert player(other).play(went_on).cost == 10**6
    assert player().play(went_on) == as_it_ran(went_on)


def test_what_a_lost_attempt_cost_is_unknown() -> None:
    """A call without an outcome may have been paid; one that failed was not."""
    lost = past(attempt(1, MINI, 0, latency=None, cost=None, scores={}), attempt(2, MINI, 900_000))
    assert as_it_ran(lost).cost is None
    assert player(ending_at(0.5), strategy="fallback").play(lost) == Played()
    lost.attempts[1].cost = 0
    assert as_it_ran(lost).cost == 2 * 10**6


def test_of_a_run_that_goes_on_nothing_is_known_yet() -> None:
    assert as_it_ran(past(attempt(1, MINI, 900_000), final=None, ended_at=None)) == Played()


def test_a_judge_is_paid_with_the_answer_it_scores() -> None:
    """What stops at the first answer has paid for its judge too, and for no later one."""
    chain = (MINI, HAIKU, SONNET, "claude-opus-3")
    run = past(
        attempt(1, MINI, 0, scores={f"judge:{GPT4O}": 600_000}),
        attempt(3, HAIKU, 0, scores={f"judge:{GPT4O}": 900_000}, call=1),
        strategy="fallback",
        plan=chain,
        settings=StrategySettings(judge=GPT4O),
    )
    assert run.routing is not None
    judges = tuple(replace(run.routing.plan[0], model=GPT4O, purpose=Purpose.JUDGE, scores=at) for at in range(4))
    run.routing = replace(run.routing, plan=(*run.routing.plan, *judges))
    for number, call, cost in ((2, 4, 50), (4, 5, 70)):
        run.attempts[number] = PastAttempt(number, GPT4O, Purpose.JUDGE, call, latency=1, cost=cost)
    assert player(ending_at(0.5)).play(run).cost == 10**6 + 50
    assert player(ending_at(0.8)).play(run).cost == 4 * 10**6 + 120


def test_what_another_judge_would_have_cost_is_unknown() -> None:
    """The policy has every answer judged, and the run had none."""
    run = past(attempt(1, MINI, 900_000), labels={(None, "me"): 1_000_000})
    found = player(replace(SEED_POLICY, scorer=f"judge:{GPT4O}")).play(run)
    assert (found.quality, found.cost, found.planned) == (1.0, None, None)


def test_a_full_panel_is_planned_whole() -> None:
    """A panel that asks all at once is expected to cost what all its members do."""
    run = past(attempt(1, GPT4O, 900_000), plan=(GPT4O,))
    whole = past(attempt(1, GPT4O, 900_000), plan=(GPT4O,), settings=StrategySettings(full_panel=True))
    pair, all_ = (player(strategy="ensemble").play(one).planned for one in (run, whole))
    assert pair is not None
    assert all_ is not None
    assert all_ > pair
