"""A judge asked for: each answer is scored once it has spoken, by the heuristic scorer where it gives nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from model_orchestrator.domain.actions import CallModel, Complete, Escalate, ScoreAnswer, Synthesize
from model_orchestrator.domain.budget import reserve
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import (
    AttemptStarted,
    EscalationReason,
    Hold,
    PlannedCall,
    Purpose,
    RunEvent,
    StopReason,
)
from model_orchestrator.domain.strategies import due
from model_orchestrator.domain.units import Usd, probability

from ...scenario import (
    HAIKU,
    MINI,
    Scenario,
    answered,
    asked,
    assessed,
    costed,
    escalated,
    failed,
    given,
    lost,
    planned,
    refusal,
    routed,
    scored,
    started,
)

SONNET = "claude-sonnet-3.5"
PRICE = Usd("0.0006174")


def judge(index: int) -> PlannedCall:
    return replace(planned(SONNET), purpose=Purpose.JUDGE, scores=index)


def judging(index: int, place: int, attempt: int) -> CallModel:
    """The call at `place` of the plan, that reads the attempt at call `index`."""
    return CallModel(place, judge(index), (attempt,))


def run(strategy: str, *events: RunEvent, models: tuple[str, ...] = (MINI, HAIKU), **settings: Any) -> Scenario:
    route = routed(*models, strategy=strategy, threshold=0.7 if strategy == "fallback" else None)
    plan = (*route.plan, *(judge(index) for index in range(len(models))))
    holds = (Hold(scope="global", period="day", amount=Usd(PRICE * len(plan))),)
    start = started(strategy, judge=SONNET, **settings)
    return given(start, assessed(), replace(route, plan=plan, holds=holds), *events)


def asks(place: int, attempt: int) -> AttemptStarted:
    return replace(asked(SONNET, attempt, place), purpose=Purpose.JUDGE)


def answer(model: str, attempt: int, index: int = 0) -> tuple[RunEvent, ...]:
    return asked(model, attempt, index), answered(attempt), costed(attempt)


SAID = (asks(2, 2), answered(2), costed(2))


def test_an_answer_is_scored_after_its_judge_spoke() -> None:
    """The judge's own answer has no score and needs none."""
    judged = run("fallback", *answer(MINI, 1)).due(judging(0, 2, 1)).when(asks(2, 2)).due()
    judged = judged.when(answered(2), costed(2)).due(ScoreAnswer(1, by=2)).when(scored(0.9))
    judged.due(Complete(1, StopReason.CONFIDENT))


def test_a_judge_without_trust_hands_on_to_the_chains_next_model() -> None:
    """Which is no judge, although judges follow in the plan."""
    low = run("fallback", *answer(MINI, 1), *SAID, scored(0.2))
    reason = EscalationReason.LOW_CONFIDENCE
    low.due(Escalate(planned(MINI), planned(HAIKU), reason, probability(0.2), probability(0.7)))
    last = low.when(escalated(MINI, HAIKU), *answer(HAIKU, 3, 1)).due(judging(1, 3, 3))
    last.when(asks(3, 4), answered(4), costed(4), scored(0.1, 3)).due(Complete(1, StopReason.LAST_MODEL))


@pytest.mark.parametrize("strategy", ["cheapest", "fallback", "ensemble"])
def test_a_judge_that_fails_is_tried_again_and_then_the_heuristic_scorer_stands(strategy: str) -> None:
    models = (MINI,) if strategy != "ensemble" else (MINI, HAIKU)
    place = len(models)
    first = run(strategy, *answer(MINI, 1), models=models)
    again = first.when(asks(place, 2), failed(2, retry_in=1.0))
    assert judging(0, place, 1) in due(again.run)
    assert ScoreAnswer(1) in due(again.when(asks(place, 3), failed(3)).run)
    assert ScoreAnswer(1) in due(first.when(asks(place, 2), lost(2, ErrorKind.CANCELLED)).run)


def test_a_refusal_is_not_judged() -> None:
    run("fallback", asked(MINI), refusal(), costed()).due(ScoreAnswer(1))


def test_members_are_judged_side_by_side_and_compared_once_all_are_scored() -> None:
    two = run("ensemble", *answer(MINI, 1), *answer(HAIKU, 2, 1))
    two.due(judging(0, 2, 1), judging(1, 3, 2))
    one = two.when(asks(2, 3), asks(3, 4), answered(3), costed(3)).due(ScoreAnswer(1, by=3)).when(scored(0.8)).due()
    one.when(answered(4), costed(4), scored(0.7, 2)).due(Synthesize((1, 2)))


def test_a_judge_that_the_limit_cannot_pay_is_not_asked() -> None:
    """Two answers are paid; what is left pays one judge at a time, or none."""
    two = (asked(MINI), answered(), costed(1, "0.0006"), asked(HAIKU, 2, 1), answered(2), costed(2, "0.0006"))
    one = run("ensemble", *two, max_cost="0.0019").due(judging(0, 2, 1))
    one.when(asks(2, 3)).due(ScoreAnswer(2))  # while the first may still cost what is left
    run("ensemble", *two, max_cost="0.0013").due(ScoreAnswer(1), ScoreAnswer(2))


def test_what_a_judge_may_cost_stays_held_until_its_answer_is_scored() -> None:
    """And not beyond: of a call that failed for good no answer comes."""

    def held(*events: RunEvent) -> int:
        return int(reserve(run("fallback", *events, models=(MINI,)).run, "global") / PRICE)

    assert held() == 2
    assert held(asked(MINI)) == 2
    assert held(*answer(MINI, 1)) == 1
    assert held(*answer(MINI, 1), asks(1, 2)) == 1
    assert held(*answer(MINI, 1), asks(1, 2), failed(2, retry_in=1.0)) == 1
    assert held(*answer(MINI, 1), asks(1, 2), failed(2)) == 0
    assert held(*answer(MINI, 1), scored(0.8)) == 0
    assert held(asked(MINI), failed()) == 0
    assert held(asked(MINI), failed(retry_in=1.0)) == 2
    assert held(asked(MINI), lost()) == 2
