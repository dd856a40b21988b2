"""Fallback: a chain of models; an answer that is not trusted, or a model that fails, hands on to the next."""

from __future__ import annotations

from ..actions import Action, Complete, Escalate, Fail, Synthesize
from ..budget import fits_what_is_left
from ..events import EscalationReason, StopReason
from ..run import Attempt, AttemptStatus, Run
from .progress import best_of, chain_of, confidence_of, is_refusal, last_error, opening, progress, settings_of

PAIR = 2  # cheap models that answer together where agreement is asked for


def due(run: Run) -> tuple[Action, ...]:
    """The calls a fallback chain owes now; a finished run owes nothing."""
    if (first := opening(run)) is not None:
        return first
    assert run.routing is not None
    if settings_of(run).verify_agreement and run.stage < PAIR <= len(chain_of(run)):
        return _pair_due(run)
    call = progress(run, run.stage)
    if not call.is_settled:
        return call.actions
    attempt = call.answered
    if attempt and is_refusal(attempt):
        return (Complete(attempt.number, StopReason.REFUSAL),)
    if attempt and confidence_of(attempt) >= (run.routing.threshold or 0):
        return (Complete(attempt.number, StopReason.CONFIDENT),)
    reason = EscalationReason.LOW_CONFIDENCE if attempt else EscalationReason.PROVIDER_FAILED
    return (_next(run, run.stage, reason, attempt),)


def _pair_due(run: Run) -> tuple[Action, ...]:
    """The first two models answer together; where their answers agree that is enough, else the next decides."""
    calls = [progress(run, index) for index in range(PAIR)]
    if not all(call.is_settled for call in calls):
        return tuple(action for call in calls for action in call.actions)
    answered = [call.answered for call in calls if call.answered]
    numbers = tuple(attempt.number for attempt in answered)
    if len(answered) == PAIR and run.synthesis is None:
        return (Synthesize(numbers, is_check=True),)
    if run.synthesis and run.synthesis.chosen is not None:
        return (Complete(run.synthesis.chosen, StopReason.AGREEMENT),)
    best = max(answered, key=confidence_of, default=None)
    if len(answered) == PAIR:
        return (_next(run, PAIR - 1, EscalationReason.NO_AGREEMENT, best),)
    return (_next(run, PAIR - 1, EscalationReason.PROVIDER_FAILED, best),)


def _next(run: Run, here: int, reason: EscalationReason, left_behind: Attempt | None) -> Action:
    """The next model of the chain, or the end with the best answer there is."""
    assert run.routing is not None
    answered = [a for a in run.attempts if a.status is AttemptStatus.ANSWERED and a.confidence]
    plan = chain_of(run)
    if here + 1 < len(plan) and not (answered and plan[here + 1].is_backup):
        if fits_what_is_left(run, plan[here + 1]):
            confidence = confidence_of(left_behind) if left_behind else None
            threshold = run.routing.threshold if reason is EscalationReason.LOW_CONFIDENCE else None
            return Escalate(plan[here], plan[here + 1], reason, confidence, threshold)
        if answered:
            return best_of(answered, StopReason.BUDGET)
    if answered:
        return best_of(answered, StopReason.LAST_MODEL)
    return Fail(last_error(run))
