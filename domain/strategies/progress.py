"""How far one call of a plan has come: what it owes now, or what it came to."""

from __future__ import annotations

from dataclasses import dataclass

from ..actions import Action, AssessPrompt, CallModel, Complete, DecideRoute, Fail, ScoreAnswer
from ..budget import fits_what_is_left
from ..errors import ErrorKind
from ..events import AttemptFailed, OnUnknown, PlannedCall, StopReason, StrategySettings
from ..exclusions import left_out_for_money
from ..finish import FinishReason
from ..run import Attempt, AttemptStatus, Run
from ..units import Probability


@dataclass(frozen=True, slots=True)
class Progress:
    """`actions` are due now; `is_settled`: nothing more comes of the call. `attempt` is its latest."""

    actions: tuple[Action, ...] = ()
    attempt: Attempt | None = None
    is_settled: bool = False

    @property
    def answered(self) -> Attempt | None:
        """The attempt that has an answer: a scored one, unless it is a judge's."""
        return self.attempt if self.is_settled and _has_answer(self.attempt) else None


def progress(run: Run, index: int, *, judges: tuple[int, ...] = ()) -> Progress:
    """Where call `index` of the plan stands."""
    assert run.routing is not None, "calls are planned by the routing decision"
    attempts = run.of_call(index)
    ask = CallModel(index, run.routing.plan[index], judges)
    if not attempts:
        return Progress((ask,))
    last = attempts[-1]
    match last.status:
        case AttemptStatus.OPEN:
            return Progress((), last)
        case AttemptStatus.ANSWERED:
            if last.confidence is not None or ask.call.scores is not None:
                return Progress((), last, is_settled=True)
            return Progress(_scoring(run, last), last)
        case AttemptStatus.FAILED | AttemptStatus.LOST:
            again = _is_tried_again(run, attempts)
            return Progress((ask,), last) if again else Progress((), last, is_settled=True)


def _scoring(run: Run, attempt: Attempt) -> tuple[Action, ...]:
    """What an answer's score waits for: its judge, where there is one that can be paid; a refusal needs none."""
    assert run.routing is not None
    judge = next((i for i, call in enumerate(run.routing.plan) if call.scores == attempt.started.call), None)
    if judge is None or is_refusal(attempt):
        return (ScoreAnswer(attempt.number),)
    if not run.of_call(judge) and not fits_what_is_left(run, run.routing.plan[judge]):
        return (ScoreAnswer(attempt.number),)
    call = progress(run, judge, judges=(attempt.number,))
    if not call.is_settled:
        return call.actions
    return (ScoreAnswer(attempt.number, by=call.answered.number if call.answered else None),)


def chain_of(run: Run) -> tuple[PlannedCall, ...]:
    """The calls that answer, in order: the plan without its judges, which stand last."""
    assert run.routing is not None
    return tuple(call for call in run.routing.plan if call.scores is None)


def opening(run: Run) -> tuple[Action, ...] | None:
    """What every strategy owes before its first call; None when that is done."""
    if run.started is None or run.ended:
        return ()
    if run.assessment is None:
        return (AssessPrompt(),)
    if run.routing is None:
        return (DecideRoute(),)
    if run.cached is not None:
        return (Complete(None, StopReason.CACHE),)
    if not run.routing.plan:
        kind = ErrorKind.BUDGET if run.routing.needed is not None else ErrorKind.NO_CANDIDATE
        return (Fail(kind, run.routing.needed),)
    return None


def settings_of(run: Run) -> StrategySettings:
    """What the caller set."""
    assert run.started is not None, "only a started run has settings"
    return run.started.settings


def confidence_of(attempt: Attempt) -> Probability:
    """The score of an answer."""
    return attempt.confidence.score if attempt.confidence else Probability(0)


def is_refusal(attempt: Attempt) -> bool:
    """Whether the model declined for safety: an answer, not a failure."""
    return getattr(attempt.outcome, "finish_reason", None) is FinishReason.REFUSAL


def best_of(answered: list[Attempt], reason: StopReason) -> Complete:
    """The most trusted answer; of equals the later, which a more capable model gave."""
    best = max(answered, key=lambda attempt: (confidence_of(attempt), attempt.number))
    return Complete(best.number, reason)


def is_cut_short(run: Run) -> bool:
    """Whether money kept a model of the plan from being asked, or from being asked again."""
    assert run.routing is not None
    return bool(left_out_for_money(run.routing)) or any(attempt.refused for attempt in run.attempts)


def no_answer(run: Run) -> Fail:
    """Why nobody answered: there was no money for one more attempt, else what the latest one met."""
    for attempt in run.attempts:
        if attempt.refused:
            return Fail(ErrorKind.BUDGET, attempt.refused.needed)
    return Fail(next((a.error for a in reversed(run.attempts) if a.error), ErrorKind.SERVER))


def _is_tried_again(run: Run, attempts: tuple[Attempt, ...]) -> bool:
    """A failure that said so; a lost attempt once, after a crash more often, where wanted and within the attempts."""
    last = attempts[-1]
    if last.refused:
        return False
    if isinstance(last.outcome, AttemptFailed):
        return last.outcome.retry_in is not None and fits_what_is_left(run, _planned(run, last))
    lost = sum(attempt.status is AttemptStatus.LOST for attempt in attempts)
    wanted = run.on_unknown is OnUnknown.RETRY and last.error is not ErrorKind.CANCELLED
    most = settings_of(run).max_attempts
    allowed = most if last.error is ErrorKind.CRASH else min(2, most)
    return wanted and lost < allowed and fits_what_is_left(run, _planned(run, last))


def _planned(run: Run, attempt: Attempt) -> PlannedCall:
    assert run.routing is not None
    return run.routing.plan[attempt.started.call]


def _has_answer(attempt: Attempt | None) -> bool:
    return attempt is not None and attempt.status is AttemptStatus.ANSWERED
