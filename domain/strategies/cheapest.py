"""Cheapest: the cheapest model that can answer is asked once."""

from __future__ import annotations

from ..actions import Action, AssessPrompt, CallModel, Complete, DecideRoute, Fail, ScoreAnswer
from ..errors import ErrorKind
from ..run import AttemptStatus, Run


def due(run: Run) -> tuple[Action, ...]:
    """What a cheapest run owes now; a finished run, or one that waits for its answer, owes nothing."""
    if run.started is None or run.ended:
        return ()
    if run.assessment is None:
        return (AssessPrompt(),)
    if run.routing is None:
        return (DecideRoute(),)
    if not run.routing.plan:
        kind = ErrorKind.BUDGET if run.routing.needed is not None else ErrorKind.NO_CANDIDATE
        return (Fail(kind, run.routing.needed),)
    if not run.attempts:
        return (CallModel(1, run.routing.plan[0]),)
    attempt = run.attempts[-1]
    match attempt.status:
        case AttemptStatus.OPEN:
            return ()
        case AttemptStatus.ANSWERED:
            scored = attempt.confidence is not None
            return (Complete(attempt.number),) if scored else (ScoreAnswer(attempt.number),)
        case AttemptStatus.FAILED | AttemptStatus.LOST:
            return (Fail(attempt.error or ErrorKind.SERVER),)
