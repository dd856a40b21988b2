"""Runs under a learned policy: what was read is recorded, and deciding again from it gives the same event."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_orchestrator.application.orchestrator import RunLoop
from model_orchestrator.application.ports import Answer, ModelCall
from model_orchestrator.application.recorded_texts import Texts, texts_of
from model_orchestrator.application.recorded_world import Basis
from model_orchestrator.application.replay import replay
from model_orchestrator.domain.events import (
    ConfidenceScored,
    Escalated,
    PromptAssessed,
    RoutingDecided,
    StrategySettings,
)
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.policy import SEED_POLICY
from model_orchestrator.domain.request import prompt_request
from model_orchestrator.domain.routing import RoutingInputs, decide
from model_orchestrator.domain.run import Run, evolve, fold
from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.domain.units import MILLION, Probability, Usd, probability
from model_orchestrator.infrastructure.event_codec import encode
from tests.scenario import assessed
from tests.weights import ToldRouter, ToldScorer, router

from .world import RUN, Stage, answer

MINI, HAIKU, GPT4O = "gpt-4o-mini", "claude-haiku-3.5", "gpt-4o"
LEARNED = replace(SEED_POLICY, version="learned-1", router="routing-test", matrix={})
PROMPT = "What is Python?"


class LearnedStage(Stage):
    """A run whose world has weights, and draws what it is told."""

    def __init__(
        self, *args: Any, router: ToldRouter | None = None, scorer: ToldScorer | None = None, draw: float = 0.0
    ) -> None:
        super().__init__(*args)
        self._world: dict[str, Any] = {"router": router, "scorer": scorer, "draw": lambda: draw}

    def loop(self, prompt: str = PROMPT, **command: Any) -> RunLoop:
        loop = super().loop(prompt, **command)
        world = replace(loop._world, policy=LEARNED if self._world["router"] else SEED_POLICY, **self._world)
        return RunLoop(loop._command, world, self.log, self.clock)

    def decided(self) -> RoutingDecided:
        return next(one for one in self.events() if isinstance(one, RoutingDecided))


def again(stage: LearnedStage, **command: Any) -> RoutingDecided:
    """Decided from what the event and the assessment recorded, and nothing else that was random or learned."""
    recorded = stage.decided()
    inputs = RoutingInputs(
        request=prompt_request(PROMPT),
        assessment=next(one for one in stage.events() if isinstance(one, PromptAssessed)),
        usable=tuple(one for one in SEED.models if one.name in recorded.usable),
        unusable=(),
        policy=LEARNED,
        budgets=tuple((one.scope, one.period) for one in recorded.holds),
        headroom=recorded.headroom,
        forecast=recorded.forecast,
        draw=recorded.exploration.draw if recorded.exploration else None,
        **command,
    )
    return decide(inputs)


@pytest.mark.parametrize("explore", [0, MILLION])
@pytest.mark.parametrize("strategy", ["cheapest", "fallback"])
def test_a_learned_and_exploring_run_replays(strategy: str, explore: int) -> None:
    """With its texts and without: what the weights said, and the draw, are in the log."""
    said = {MINI: 0.4, HAIKU: 0.7, GPT4O: 0.9}
    stage = LearnedStage(router=ToldRouter(said, {}), draw=0.6)
    stage.run(PROMPT, strategy=strategy, settings=StrategySettings(explore=Probability(explore)))
    logged = list(asyncio.run(stage.log.read(RUN)))
    (texts,) = asyncio.run(texts_of(stage.log, [fold(RUN, [entry.event for entry in logged])]))
    basis = Basis(catalogue=SEED, policy=LEARNED)
    for kept in (texts, Texts()):
        assert replay(RUN, logged, basis, kept, encode).differences == []


@given(
    st.dictionaries(st.sampled_from([one.name for one in SEED.models]), st.floats(0, 1)),
    st.sampled_from([0, 1, 50_000, MILLION]),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(["cheapest", "auto"]),
)
@settings(max_examples=60, deadline=None)
def test_deciding_again_from_what_was_recorded_gives_the_same_event(
    success: dict[str, float], epsilon: int, draw: float, strategy: str
) -> None:
    """Bit for bit, whatever was predicted and drawn."""
    stage = LearnedStage(router=router(success), draw=draw)
    command: dict[str, Any] = {"strategy": strategy, "settings": StrategySettings(explore=Probability(epsilon))}
    stage.run(PROMPT, **command)
    assert again(stage, **command) == stage.decided()


def test_what_is_predicted_of_the_prompt_is_what_is_asked() -> None:
    """A prompt that is hard for the cheap model goes to another."""
    told = router({MINI: 0.9, GPT4O: 0.95}, {"integral": {MINI: 0.2}})
    assert LearnedStage(router=told).run("What is 2+2?").run.model == MINI
    hard = LearnedStage(router=told)
    usable = hard.run("What is the integral of x?", settings=StrategySettings(provider="openai")).run
    assert usable.model == GPT4O


def test_an_explored_run_asks_whom_was_drawn_and_holds_his_price() -> None:
    """Half of all draws below 1 in 2 candidates are the second."""
    stage = LearnedStage(router=router({MINI: 0.9, GPT4O: 0.95}), draw=0.999999)
    stage.budgets = (("global", "day"),)
    run = stage.run(PROMPT, settings=StrategySettings(explore=Probability(MILLION), provider="openai")).run
    decided = stage.decided()
    assert decided.exploration is not None
    assert run.model == decided.candidates[-1].model != decided.candidates[0].model
    assert decided.holds[0].amount == decided.plan[0].max_cost
    assert again(stage, settings=StrategySettings(explore=Probability(MILLION), provider="openai")) == decided


def test_the_learned_scorer_scores_and_a_chain_goes_by_it() -> None:
    """Also by the answer that was left behind."""
    seen: list[str | None] = []

    class Recording(ToldScorer):
        def confidence(self, question: str, answer: str, *, second: str | None = None, **more: Any) -> float:
            seen.append(second)
            return super().confidence(question, answer, second=second, **more)

    async def reply(call: ModelCall) -> Answer:
        return answer("It is four." if call.model.name == MINI else "It is five, surely.")

    stage = LearnedStage(reply, scorer=Recording({"four": 0.3, "surely": 0.96}))
    run = stage.run("What is 2+2?", strategy="fallback", settings=StrategySettings(chain=(MINI, HAIKU))).run
    scores = [one for one in stage.events() if isinstance(one, ConfidenceScored)]
    assert [(one.score, one.scorer) for one in scores] == [(300_000, "learned-test"), (480_000, "learned-test")]
    assert [one.confidence for one in stage.events() if isinstance(one, Escalated)] == [probability(0.3)]
    assert seen == [None, "It is four."]
    assert run.model == HAIKU


def test_a_tool_call_without_text_is_scored_by_the_heuristics() -> None:
    """Weights have nothing to read."""
    stage = LearnedStage(answer("", finish_reason=FinishReason.TOOL_CALLS), scorer=ToldScorer({}))
    stage.run(PROMPT)
    assert [one.scorer for one in stage.events() if isinstance(one, ConfidenceScored)] == ["heuristic-1"]


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999999])
def test_a_budget_holds_whoever_is_drawn(draw: float) -> None:
    """The run's limit is kept by the plan, not by the preference."""
    stage = LearnedStage(router=router({one.name: 0.9 for one in SEED.models}), draw=draw)
    explore = StrategySettings(explore=Probability(MILLION))
    run = stage.run(PROMPT, max_cost=Usd("0.003"), settings=explore).run
    assert run.attempts[0].started.max_cost is not None
    assert run.attempts[0].started.max_cost <= Usd("0.003")
    assert asyncio.run(stage.store.head()) > 0


def test_a_plan_that_a_budget_refused_is_not_drawn_again() -> None:
    """The run has one draw: else a refusal would bend the chances that are recorded."""
    drawn: list[float] = []

    def draw() -> float:
        drawn.append(len(drawn) / 10)
        return drawn[-1]

    stage = LearnedStage(router=router({MINI: 0.9}))
    stage._world["draw"] = draw
    loop = stage.loop(PROMPT, settings=StrategySettings(explore=Probability(500_000)))
    run = evolve(Run("run-1"), assessed())
    first, second = (loop._decisions.routing_inputs(run, ()) for _ in range(2))
    assert first.draw == second.draw == 0
    assert len(drawn) == 1
