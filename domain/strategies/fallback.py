"""Fallback: a chain of models; an answer that is not trusted, or a model that fails, hands on to the next."""

from __future__ import annotations

from ..actions import Action, Complete, Escalate, Synthesize
from ..budget import fits_what_is_left, total
from ..events import EscalationReason, StopReason
from ..run import Attempt, AttemptStatus, Run
from .progress import (
    best_of,
    chain_of,
    confidence_of,
    is_cut_short,
    is_refusal,
    no_answer,
    opening,
    progress,
    settings_of,
)

PAIR = 2  # cheap models that answer together where agreement is asked for


def due(run: Run) -> tuple[Action, ...]:
    """The calls a fallback chain owes now; a finished run owes nothing."""
    if (first := opening(run)) is not None:
        return first
    assert run.routing is not None
    if settings_of(run).verify_agreement and run.stage < PAIR and _has_pair(run):
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


def _has_pair(run: Run) -> bool:
    """Whether two models of one chain can answer together within the run's limit; a backup is no second opinion."""
    assert run.started is not None
    assert run.routing is not None
    pair, limit = chain_of(run)[:PAIR], run.started.max_cost
    if len(pair) < PAIR or pair[0].is_backup != pair[1].is_backup:
        return False
    return limit is None or total(call.max_cost for call in pair) <= limit


def _pair_due(run: Run) -> tuple[Action, ...]:
    """The first two models answer together; where their answers agree that is enough, else the next decides."""
    calls = [progress(run, index) for index in range(PAIR)]
    if not all(call.is_settled for call in calls):
        return tuple(action for call in calls for action in call.actions)
    answered = [call.answered for call in calls if call.answered]
    numbers = tuple(attempt.number for attempt in answered)
    if answered and all(is_refusal(attempt) for attempt in answered):
        return (Complete(answered[0].number, StopReason.REFUSAL),)
    if len(answered) == PAIR and run.synthesis is None:
        return (Synthesize(numbers, is_check=True),)
    if run.synthesis and run.synthesis.chosen is not None:
        return (Complete(run.synthesis.chosen, StopReason.AGREEMENT),)
    best = max(answered, key=confidence_of, default=None)
    if len(answered) == PAIR:
        return (_next(run, PAIR - 1, EscalationReason.NO_AGREEMENT, best),)
    return (_next(run, PAIR - 1, EscalationReason.PROVIDER_FAILED, best),)


def _next(run: Run, here: int, reason: EscalationReason, left_behind: Attempt | None) -> Action:
    """The next model of the chain, or the end with the best answer there is.

    A model that does not fit what is left of the limit ends the chain; without an answer so far, it is passed over.
    """
    assert run.routing is not None
    answered = [a for a in run.attempts if a.status is AttemptStatus.ANSWERED and a.confidence]
    plan = chain_of(run)
    enters_backup = [answered and call.is_backup and not plan[here].is_backup for call in plan]
    following = [index for index in range(here + 1, len(plan)) if not enters_backup[index]]
    fitting = [index for index in following if fits_what_is_left(run, plan[index])]
    if fitting and (fitting[0] == following[0] or not answered):
        confidence = confidence_of(left_behind) if left_behind else None
        threshold = run.routing.threshold if reason is EscalationReason.LOW_CONFIDENCE else None
        return Escalate(plan[here], plan[fitting[0]], reason, confidence, threshold)
    if answered:
        return best_of(answered, StopReason.BUDGET if following or is_cut_short(run) else StopReason.LAST_MODEL)
    return no_answer(run)
