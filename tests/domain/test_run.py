"""A run is folded from its events, whatever they are."""

from dataclasses import replace

from hypothesis import given as forall
from hypothesis import strategies as st

from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import (
    FeedbackGiven,
    RunCancelled,
    RunClaimed,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunRescored,
    StopReason,
)
from model_orchestrator.domain.run import AttemptStatus, Run, RunStatus, evolve, fold
from model_orchestrator.domain.strategies import due
from model_orchestrator.domain.units import Usd, probability

from ..scenario import (
    MINI,
    REF,
    answered,
    asked,
    assessed,
    costed,
    failed,
    given,
    lost,
    routed,
    scored,
    started,
)

COMPLETED = RunCompleted(
    attempt=1,
    stop_reason=StopReason.ANSWERED,
    answer=REF,
    confidence=probability(0.5),
    cost=Usd("0.0000243"),
    released=(),
)
FAILED = RunFailed(kind=ErrorKind.SERVER, needed=None, cost=None, released=())
RESCORED = RunRescored(attempt=1, score=probability(0.2), signals={}, scorer="other-1", by="local", judged_in=None)
GOOD = FeedbackGiven(value=probability(1.0), by="local", attempt=None, note=None)
CANCELLED = RunCancelled(by="local", cost=None, released=())

attempts = st.integers(1, 3)
events = st.one_of(
    st.just(started()),
    st.just(assessed()),
    st.sampled_from([routed(), routed(MINI), routed(needed="1")]),
    attempts.map(lambda number: asked(MINI, number)),
    attempts.map(answered),
    attempts.map(failed),
    attempts.map(lost),
    attempts.map(costed),
    attempts.map(lambda number: costed(number, None)),
    attempts.map(lambda number: scored(0.5, number)),
    st.integers(1, 5).map(lambda epoch: RunClaimed(epoch=epoch, worker="other:1")),
    st.sampled_from([COMPLETED, FAILED, CANCELLED]),
    st.sampled_from([RESCORED, GOOD]),
)
histories = st.lists(events, max_size=30)


@forall(histories)
def test_evolve_is_total_and_counts_every_event(history: list[RunEvent]) -> None:
    """No order of facts is refused, each raises the version by one, and what is due can always be said."""
    run = fold("run-1", history)
    assert run.version == len(history)
    assert isinstance(due(run), tuple)
    assert run.cost is None or run.cost >= 0


@forall(histories)
def test_folding_in_two_parts_is_folding_at_once(history: list[RunEvent]) -> None:
    """A reload in the middle changes nothing."""
    middle = fold("run-1", history[: len(history) // 2])
    for event in history[len(history) // 2 :]:
        middle = evolve(middle, event)
    assert middle == fold("run-1", history)


@forall(histories, events)
def test_an_ended_run_stays_ended_as_it_was(history: list[RunEvent], late: RunEvent) -> None:
    """A second end, or anything late, does not change the first."""
    run = fold("run-1", history)
    assert run.ended is None or evolve(run, late).ended == run.ended


@forall(histories)
def test_a_finished_run_owes_nothing(history: list[RunEvent]) -> None:
    """Whatever happened before."""
    assert not due(fold("run-1", [*history, CANCELLED]))


def test_a_late_answer_of_a_lost_attempt_replaces_the_not_knowing_once() -> None:
    """Also after the end; a second one is ignored."""
    scenario = given(started(), assessed(), routed(MINI), asked(MINI), lost(), FAILED)
    late = scenario.when(answered(), costed())
    assert late.run.attempt(1).status is AttemptStatus.ANSWERED
    assert late.run.cost == Usd("0.0000243")
    again = late.when(replace(answered(), response_model="other"), costed(amount="1"))
    assert replace(again.run, version=late.run.version) == late.run


def test_the_cost_is_unknown_while_a_lost_attempt_may_be_billed() -> None:
    """None is not zero."""
    run = given(started(), assessed(), routed(MINI), asked(MINI), lost()).run
    assert run.cost is None
    assert given(started(), assessed(), routed(MINI), asked(MINI), failed()).run.cost == Usd("0")


def test_statuses() -> None:
    """New, running, and the three ends."""
    assert Run("run-1").status is RunStatus.NEW
    assert given(started()).run.status is RunStatus.RUNNING
    ends: list[tuple[RunEvent, RunStatus]] = [
        (COMPLETED, RunStatus.COMPLETED),
        (FAILED, RunStatus.FAILED),
        (CANCELLED, RunStatus.CANCELLED),
    ]
    for end, status in ends:
        assert given(started()).when(end).run.status is status


def test_a_takeover_raises_the_epoch_and_never_lowers_it() -> None:
    """The fence of a stalled worker."""
    run = given(started(), RunClaimed(epoch=3, worker="b"), RunClaimed(epoch=2, worker="c")).run
    assert run.epoch == 3


def test_feedback_is_kept_and_what_was_said_last_of_the_answer_stands() -> None:
    """What is said of another attempt's answer is no label of the run."""
    bad, other = replace(GOOD, value=probability(0.0)), replace(GOOD, value=probability(0.3), attempt=1)
    run = given(started(), COMPLETED, GOOD, bad, other).run
    assert run.feedback == (GOOD, bad, other)
    assert run.label == bad
    assert given(started(), COMPLETED).run.label is None


def test_another_score_leaves_the_recorded_one_alone() -> None:
    """No score is edited."""
    run = given(started(), assessed(), routed(MINI), asked(MINI), answered(), scored(0.9), COMPLETED, RESCORED).run
    assert run.rescored == (RESCORED,)
    assert run.attempt(1).confidence == scored(0.9)
