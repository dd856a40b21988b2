"""Cheapest asks one model once."""

from model_orchestrator.domain.actions import AssessPrompt, Complete, DecideRoute, Fail, ScoreAnswer
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import OnUnknown, RunCancelled, StopReason
from model_orchestrator.domain.run import RunStatus
from model_orchestrator.domain.units import Usd

from ...scenario import MINI, answered, asked, assessed, call, costed, failed, given, lost, routed, scored, started


def test_a_started_run_is_assessed_then_routed_then_asked() -> None:
    """The steps come one after the other."""
    given(started()).due(AssessPrompt()).when(assessed()).due(DecideRoute()).when(routed(MINI)).due(call(MINI))


def test_nothing_is_due_while_the_model_is_asked() -> None:
    """An attempt without outcome is waited for."""
    given(started(), assessed(), routed(MINI)).when(asked(MINI)).due()


def test_an_answer_is_scored_then_accepted() -> None:
    """Whatever its confidence: cheapest does not escalate."""
    scenario = given(started(), assessed(), routed(MINI), asked(MINI)).when(answered(), costed()).due(ScoreAnswer(1))
    scenario.when(scored(0.1)).due(Complete(1, StopReason.ANSWERED))


def test_a_failed_attempt_fails_the_run() -> None:
    """With the kind of its failure."""
    given(started(), assessed(), routed(MINI), asked(MINI)).when(failed()).due(Fail(ErrorKind.RATE_LIMITED))


def test_a_lost_attempt_fails_the_run() -> None:
    """Where the caller wants no second payment."""
    given(started(on_unknown=OnUnknown.FAIL), assessed(), routed(MINI), asked(MINI)).when(lost()).due(
        Fail(ErrorKind.CUT)
    )


def test_a_lost_attempt_is_made_once_more_by_default() -> None:
    """And then no further."""
    again = given(started(), assessed(), routed(MINI), asked(MINI)).when(lost()).due(call(MINI))
    again.when(asked(MINI, 2), lost(2)).due(Fail(ErrorKind.CUT))


def test_one_attempt_allowed_is_one_attempt_even_where_it_was_lost() -> None:
    """The caller's word goes before the default."""
    only = given(started(max_attempts=1), assessed(), routed(MINI), asked(MINI))
    only.when(lost()).due(Fail(ErrorKind.CUT))
    only.when(lost(kind=ErrorKind.CRASH)).due(Fail(ErrorKind.CRASH))


def test_a_failure_that_will_be_tried_again_owes_the_call() -> None:
    """As often as its failures say so."""
    run = given(started(), assessed(), routed(MINI), asked(MINI)).when(failed(retry_in=0.5)).due(call(MINI))
    run.when(asked(MINI, 2), failed(2)).due(Fail(ErrorKind.RATE_LIMITED))


def test_an_empty_plan_fails_the_run_before_any_call() -> None:
    """For want of a candidate, or of money; then with the figure that would do."""
    given(started(), assessed()).when(routed()).due(Fail(ErrorKind.NO_CANDIDATE))
    given(started(), assessed()).when(routed(needed="0.01")).due(Fail(ErrorKind.BUDGET, Usd("0.01")))


def test_a_finished_run_owes_nothing() -> None:
    """Also where it was ended by somebody else in the middle."""
    cancelled = RunCancelled(by="local", cost=Usd("0"), released=())
    given(started(), assessed()).when(cancelled).then(lambda run: run.status is RunStatus.CANCELLED).due()
