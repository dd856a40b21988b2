"""Ensemble: members answer at once, the third only where the first two disagree, and their answers become one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from model_orchestrator.domain.actions import CallModel, Complete, Fail, Synthesize
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import Method, Purpose, RunEvent, StopReason

from ...scenario import (
    HAIKU,
    MINI,
    Scenario,
    answered,
    asked,
    assessed,
    call,
    costed,
    failed,
    given,
    planned,
    routed,
    scored,
    started,
    synthesized,
)

SONNET = "claude-sonnet-3.5"


def panel(*events: RunEvent, models: tuple[str, ...] = (MINI, HAIKU, SONNET), **settings: Any) -> Scenario:
    return given(started("ensemble", **settings), assessed(), routed(*models, strategy="ensemble"), *events)


def answer(model: str, number: int, confidence: float = 0.8) -> tuple[RunEvent, ...]:
    return asked(model, number, number - 1), answered(number), costed(number), scored(confidence, number)


TWO = (*answer(MINI, 1), *answer(HAIKU, 2))


def test_two_members_are_asked_at_once() -> None:
    """The third waits for whether they agree."""
    both = panel().due(call(MINI), call(HAIKU, 1))
    both.when(asked(MINI)).due(call(HAIKU, 1)).when(asked(HAIKU, 2, 1)).due()
    panel(*TWO).due(Synthesize((1, 2), is_check=True))


def test_two_that_agree_are_enough() -> None:
    """The third is never asked."""
    panel(*TWO, synthesized(1, 2, chosen=2, agreement=1.0)).due(Complete(2, StopReason.AGREEMENT))


def test_two_that_disagree_ask_the_third_and_then_all_are_compared() -> None:
    """No agreement where nothing is extractable, either."""
    asks = panel(*TWO, synthesized(1, 2, chosen=None)).due(call(SONNET, 2))
    three = asks.when(*answer(SONNET, 3)).due(Synthesize((1, 2, 3), None))
    three.when(synthesized(1, 2, 3, chosen=3, agreement=0.66)).due(Complete(3, StopReason.SYNTHESIZED))


def test_a_full_panel_asks_all_at_once() -> None:
    """Where the caller wants it."""
    panel(full_panel=True).due(call(MINI), call(HAIKU, 1), call(SONNET, 2))


def test_a_failed_member_degrades() -> None:
    """The third steps in; the two that answered are compared."""
    one = panel(*answer(MINI, 1), asked(HAIKU, 2, 1), failed(2)).due(call(SONNET, 2))
    one.when(*answer(SONNET, 3)).due(Synthesize((1, 3), None))


def test_one_answer_left_stands_alone_and_is_marked() -> None:
    """There is nothing to compare."""
    one = panel(*answer(MINI, 1), asked(HAIKU, 2, 1), failed(2), models=(MINI, HAIKU))
    one.due(Synthesize((1,), Method.SINGLE)).when(synthesized(1, chosen=1)).due(Complete(1, StopReason.SINGLE))


def test_no_answer_fails_the_run() -> None:
    """With the last member's failure."""
    panel(asked(MINI), failed(), asked(HAIKU, 2, 1), failed(2), models=(MINI, HAIKU)).due(Fail(ErrorKind.RATE_LIMITED))


def judged(method: Method, purpose: Purpose, *events: RunEvent) -> tuple[Scenario, CallModel]:
    decision = routed(MINI, HAIKU, SONNET, strategy="ensemble")
    judge = replace(planned(SONNET), purpose=purpose)
    decision = replace(decision, plan=(*decision.plan[:2], judge), method=method)
    return given(started("ensemble"), assessed(), decision, *events), CallModel(2, judge, (1, 2))


def test_a_judge_is_shown_the_answers_and_its_ranking_decides() -> None:
    """It is asked after the members, whether two of them agree or not."""
    run, asks = judged(Method.JUDGE, Purpose.JUDGE, *TWO)
    run.due(asks).when(*answer(SONNET, 3)).due(Synthesize((1, 2), Method.JUDGE, 3))


def test_a_judge_that_fails_leaves_it_to_a_rule() -> None:
    """The members' answers are paid: one of them is given."""
    run, _ = judged(Method.JUDGE, Purpose.JUDGE, *TWO, asked(SONNET, 3, 2), failed(3))
    run.due(Synthesize((1, 2)))


def test_an_aggregator_writes_the_answer() -> None:
    """It is the one that stands."""
    run, asks = judged(Method.FUSE, Purpose.SYNTHESIS, *TWO)
    fused = run.due(asks).when(*answer(SONNET, 3)).due(Synthesize((1, 2), Method.FUSE, 3))
    fused.when(synthesized(1, 2, chosen=3)).due(Complete(3, StopReason.SYNTHESIZED))
