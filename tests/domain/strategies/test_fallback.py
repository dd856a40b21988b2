"""Fallback: the first model is asked, and the chain moves on while an answer is not trusted, or there is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from model_orchestrator.domain.actions import Complete, Escalate, Fail, ScoreAnswer, Synthesize
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import EscalationReason, Exclusion, ExclusionReason, RunEvent, StopReason
from model_orchestrator.domain.strategies import due
from model_orchestrator.domain.units import Probability, Usd, probability

from ...scenario import (
    HAIKU,
    MINI,
    Scenario,
    answered,
    asked,
    assessed,
    call,
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
    synthesized,
)

SONNET = "claude-sonnet-3.5"


def chain(*events: RunEvent, max_cost: str | None = None, **settings: Any) -> Scenario:
    """A run of MINI, HAIKU, SONNET with threshold 0.7, after these events."""
    decision = routed(MINI, HAIKU, SONNET, strategy="fallback", threshold=0.7)
    return given(started("fallback", max_cost=max_cost, **settings), assessed(), decision, *events)


def answer(model: str, number: int, confidence: float, index: int | None = None) -> tuple[RunEvent, ...]:
    place = number - 1 if index is None else index
    return asked(model, number, place), answered(number), costed(number), scored(confidence, number)


def escalate(from_model: str, to_model: str, reason: EscalationReason, confidence: float | None) -> Escalate:
    low = reason is EscalationReason.LOW_CONFIDENCE
    return Escalate(
        planned(from_model),
        planned(to_model),
        reason,
        None if confidence is None else probability(confidence),
        Probability(700_000) if low else None,
    )


def test_the_first_model_is_asked_whatever_the_assessment_says() -> None:
    """The answer's confidence decides."""
    chain().due(call(MINI)).when(asked(MINI)).due().when(answered(), costed()).due(ScoreAnswer(1))


def test_a_trusted_answer_ends_the_run() -> None:
    """At the threshold or above."""
    chain(*answer(MINI, 1, 0.7)).due(Complete(1, StopReason.CONFIDENT))


def test_low_confidence_escalates_to_the_next_model() -> None:
    """Below the threshold, the chain's next model is due and the reason is recorded."""
    low = chain(*answer(MINI, 1, 0.4)).due(escalate(MINI, HAIKU, EscalationReason.LOW_CONFIDENCE, 0.4))
    low.when(escalated(MINI, HAIKU)).due(call(HAIKU, 1))


def test_a_failed_provider_moves_the_chain_on() -> None:
    """Lost attempts too, once they are not tried again."""
    chain(asked(MINI), failed()).due(escalate(MINI, HAIKU, EscalationReason.PROVIDER_FAILED, None))
    chain(asked(MINI), lost(), asked(MINI, 2), lost(2)).due(
        escalate(MINI, HAIKU, EscalationReason.PROVIDER_FAILED, None)
    )


def test_a_safety_refusal_is_an_answer() -> None:
    """Asking a dearer model to do it would be wrong, and cost money."""
    chain(asked(MINI), refusal(), costed(), scored(0.1)).due(Complete(1, StopReason.REFUSAL))


def test_the_last_model_ends_with_the_most_trusted_answer_so_far() -> None:
    """Which need not be the last one's."""
    run = chain(*answer(MINI, 1, 0.6), escalated(MINI, HAIKU), *answer(HAIKU, 2, 0.3), escalated(HAIKU, SONNET))
    run.when(*answer(SONNET, 3, 0.5)).due(Complete(1, StopReason.LAST_MODEL))


def test_all_models_down_fails_with_the_last_failure() -> None:
    """There is no answer to give."""
    run = chain(asked(MINI), failed(), escalated(MINI, HAIKU), asked(HAIKU, 2, 1), failed(2), escalated(HAIKU, SONNET))
    run.when(asked(SONNET, 3, 2), failed(3, ErrorKind.OVERLOADED)).due(Fail(ErrorKind.OVERLOADED))


def test_the_chain_stops_at_the_limit_with_the_best_answer_so_far() -> None:
    """The next call's worst price does not fit what is left."""
    run = chain(*answer(MINI, 1, 0.4), max_cost="0.00062")
    run.due(Complete(1, StopReason.BUDGET))


def test_a_chain_that_money_shortened_stops_at_the_limit_too() -> None:
    """Another model would be asked, had the limit left one in the plan."""
    whole = routed(MINI, strategy="fallback", threshold=0.7)
    too_dear = Exclusion(model=HAIKU, reason=ExclusionReason.MAX_COST, limit="0.002")
    for cut in (replace(whole, dropped=(HAIKU,)), replace(whole, excluded=(too_dear,))):
        given(started("fallback"), assessed(), cut, *answer(MINI, 1, 0.4)).due(Complete(1, StopReason.BUDGET))
    given(started("fallback"), assessed(), whole, *answer(MINI, 1, 0.4)).due(Complete(1, StopReason.LAST_MODEL))


def test_a_lost_attempt_keeps_its_worst_price_of_the_limit() -> None:
    """It may be billed, so it is not tried again where both do not fit."""
    chain(asked(MINI), lost(), max_cost="0.00062").due(Fail(ErrorKind.CUT))


def test_backup_models_are_asked_only_where_nobody_answered() -> None:
    """An answer that is not trusted is still an answer."""
    decision = routed(MINI, HAIKU, strategy="fallback", threshold=0.7)
    backed = replace(decision, plan=(decision.plan[0], replace(decision.plan[1], is_backup=True)))

    def run(*events: RunEvent) -> Scenario:
        return given(started("fallback"), assessed(), backed, *events)

    run(*answer(MINI, 1, 0.4)).due(Complete(1, StopReason.LAST_MODEL))
    down = run(asked(MINI), failed())
    (action,) = (Escalate(backed.plan[0], backed.plan[1], EscalationReason.PROVIDER_FAILED, None, None),)
    down.due(action)


def test_two_cheap_models_that_agree_are_enough() -> None:
    """Both are asked at once; the third is not."""
    pair = chain(verify_agreement=True).due(call(MINI), call(HAIKU, 1))
    both = pair.when(asked(MINI), asked(HAIKU, 2, 1), answered(), costed(), scored(0.9)).due()
    both = both.when(answered(2), costed(2), scored(0.4, 2)).due(Synthesize((1, 2), is_check=True))
    both.when(synthesized(1, 2, chosen=1, agreement=1.0)).due(Complete(1, StopReason.AGREEMENT))


def test_two_cheap_models_that_disagree_leave_it_to_the_next() -> None:
    """However sure either is."""
    both = chain(*answer(MINI, 1, 0.9), *answer(HAIKU, 2, 0.8), verify_agreement=True)
    left = both.when(synthesized(1, 2, chosen=None)).due(escalate(HAIKU, SONNET, EscalationReason.NO_AGREEMENT, 0.9))
    left.when(escalated(HAIKU, SONNET, EscalationReason.NO_AGREEMENT)).due(call(SONNET, 2))


def test_two_refusals_are_an_answer() -> None:
    """Nobody else is asked to do it; one refusal beside an answer leaves it to the next."""
    first = (asked(MINI), refusal(), costed(), scored(0.1))
    both = (*first, asked(HAIKU, 2, 1), refusal(2), costed(2), scored(0.1, 2))
    chain(*both, verify_agreement=True).due(Complete(1, StopReason.REFUSAL))
    chain(*first, asked(HAIKU, 2, 1), failed(2), verify_agreement=True).due(Complete(1, StopReason.REFUSAL))
    chain(*first, *answer(HAIKU, 2, 0.9), verify_agreement=True).due(Synthesize((1, 2), is_check=True))


def goes_to(run: Scenario) -> str:
    """The model that the chain moves on to."""
    (action,) = due(run.run)
    assert isinstance(action, Escalate), action
    return action.to_call.model


def backed(*events: RunEvent, verify: bool = False, max_cost: str | None = None) -> Scenario:
    """A chain of MINI alone, whose backup is HAIKU, SONNET."""
    decision = routed(MINI, HAIKU, SONNET, strategy="fallback", threshold=0.7)
    plan = tuple(replace(call, is_backup=index > 0) for index, call in enumerate(decision.plan))
    begun = started("fallback", verify_agreement=verify, max_cost=max_cost)
    return given(begun, assessed(), replace(decision, plan=plan), *events)


def test_a_backup_chain_that_was_entered_goes_on_as_a_chain_does() -> None:
    """An answer of its first model that is not trusted hands on to its second."""
    down = (asked(MINI), failed(), escalated(MINI, HAIKU, EscalationReason.PROVIDER_FAILED))
    assert goes_to(backed(*down, *answer(HAIKU, 2, 0.4, 1))) == SONNET


def test_a_backup_is_no_second_opinion() -> None:
    """Two models of one chain answer together, never one of the chain and one of its backup."""
    backed(verify=True).due(call(MINI))


def test_a_model_that_does_not_fit_is_passed_over_where_nobody_answered() -> None:
    """A later one may be cheaper."""
    decision = routed(MINI, HAIKU, SONNET, strategy="fallback", threshold=0.7)
    dear = replace(decision.plan[1], max_cost=Usd("0.001"))
    plan = (decision.plan[0], dear, decision.plan[2])
    begun = started("fallback", max_cost="0.0013", on_unknown="fail")
    down = given(begun, assessed(), replace(decision, plan=plan), asked(MINI), lost())
    assert goes_to(down) == SONNET


def test_two_that_do_not_fit_the_limit_together_are_asked_one_by_one() -> None:
    """Both worst prices could be billed."""
    chain(verify_agreement=True, max_cost="0.0012348").due(call(MINI), call(HAIKU, 1))
    chain(verify_agreement=True, max_cost="0.0012347").due(call(MINI))
