"""The loop: performs what is due, in two commits an answered call, and leaves a truthful log whatever happens."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest

from model_orchestrator.application.ports import Answer, Append, Expected, ModelCall, StreamAppend
from model_orchestrator.application.runs import cancel_run
from model_orchestrator.domain.errors import (
    ErrorKind,
    InvalidRequest,
    ModelRefused,
    ModelUnavailable,
    OutcomeUnknown,
)
from model_orchestrator.domain.events import (
    AttemptFailed,
    AttemptLost,
    ConfidenceScored,
    CostIncurred,
    ModelCalled,
    RoutingDecided,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunStarted,
)
from model_orchestrator.domain.run import RunStatus
from model_orchestrator.domain.units import Usd

from ..scenario import started
from .world import RUN, Stage, answer

BEFORE_THE_WIRE = ["RunStarted", "PromptAssessed", "RoutingDecided", "AttemptStarted"]
AFTER_IT = ["ModelCalled", "CostIncurred", "ConfidenceScored", "RunCompleted"]


def test_an_answered_call_is_two_commits() -> None:
    """Everything decided before the wire in the first, everything learned after it in the second."""
    stage = Stage()
    finished = stage.run()
    commits = [[event.type for event in append.streams[0].events] for append in stage.store.appends]
    assert commits == [BEFORE_THE_WIRE, AFTER_IT]
    assert finished.run.status is RunStatus.COMPLETED
    assert finished.answer is not None
    assert finished.answer.text == "Python is a programming language."


def test_the_first_commit_is_durable_before_the_call_leaves() -> None:
    """At the moment of the call the log already holds the attempt."""
    seen: list[str] = []

    async def look(call: ModelCall) -> Answer:
        seen.extend(event.type for event in await stage.store.read_stream(RUN))
        return answer()

    stage = Stage(look)
    stage.run()
    assert seen == BEFORE_THE_WIRE


def test_the_cost_is_exact_from_the_usage() -> None:
    """2 tokens in and 40 out of gpt-4o-mini."""
    stage = Stage()
    stage.run()
    incurred = next(event for event in stage.events() if isinstance(event, CostIncurred))
    assert incurred.amount == Usd("0.0000243")
    assert not incurred.estimated
    assert stage.events()[-1].cost == Usd("0.0000243")


def test_an_answer_without_usage_costs_the_most_the_call_could() -> None:
    """Marked estimated: never zero, never a guess below the bill."""
    stage = Stage(answer(usage=None, raw_usage=None))
    stage.run()
    incurred = next(event for event in stage.events() if isinstance(event, CostIncurred))
    plan = next(event for event in stage.events() if isinstance(event, RoutingDecided)).plan
    assert incurred.estimated
    assert incurred.amount == plan[0].max_cost


def test_token_probabilities_count_in_the_score() -> None:
    """Their geometric mean, as far as it is below 0.7: two tokens of 0.9 and 0.4 come to 0.6."""
    stage = Stage(answer(logprobs=(math.log(0.9), math.log(0.4))))
    stage.run()
    scored = next(event for event in stage.events() if isinstance(event, ConfidenceScored))
    assert scored.signals == {"token_probability": -100_000}


def test_texts_are_contents_and_never_events() -> None:
    """Prompt and answer stand only behind references, whose digests hold."""
    stage = Stage(answer("the answer is SECRETANSWER"))
    stage.run("the prompt is SECRETPROMPT")
    assert not any("SECRET" in event.payload for event in stage.recorded())
    started, called = stage.events()[0], next(e for e in stage.events() if isinstance(e, ModelCalled))
    assert called.answer is not None
    request = asyncio.run(stage.log.request(started.request))
    assert request is not None
    assert request.prompt == "the prompt is SECRETPROMPT"
    assert asyncio.run(stage.log.answer(called.answer)) == "the answer is SECRETANSWER"


def test_without_content_nothing_of_the_texts_is_stored() -> None:
    """The run, its tokens and its cost are recorded all the same."""
    stage = Stage()
    stage.run(keep_content=False)
    assert stage.types() == BEFORE_THE_WIRE + AFTER_IT
    assert not any(append.contents for append in stage.store.appends)


def test_a_message_is_stored_once_a_subject() -> None:
    """Two runs with the same message share its text; another subject has its own."""
    stage = Stage()
    _, first = asyncio.run(stage.log.keep_request("run-1", stage.loop()._command.request, "alice"))
    _, again = asyncio.run(stage.log.keep_request("run-2", stage.loop()._command.request, "alice"))
    _, other = asyncio.run(stage.log.keep_request("run-3", stage.loop()._command.request, "bob"))
    assert first[-1].ref == again[-1].ref != other[-1].ref


def test_events_name_what_caused_them() -> None:
    """Each the one before it, across commits too."""
    stage = Stage()
    stage.run()
    recorded = stage.recorded()
    for before, after in pairwise(recorded):
        assert after.causation_id is not None
        assert after.causation_id.replace("-", "") == before.event_id.hex()
    assert {event.correlation_id for event in recorded} == {RUN}


@pytest.mark.parametrize(
    "error",
    [ModelUnavailable(ErrorKind.RATE_LIMITED, status=429, retry_after=0.01), ModelRefused(ErrorKind.AUTH, status=401)],
)
def test_a_refused_call_fails_the_run_unbilled(error: ModelUnavailable | ModelRefused) -> None:
    """The failure is a fact with its kind, and the run cost nothing."""
    stage = Stage(error)
    finished = stage.run()
    failed = next(event for event in stage.events() if isinstance(event, AttemptFailed))
    assert (failed.kind, failed.status, failed.billed) == (error.error, error.status, False)
    assert stage.events()[-1] == RunFailed(kind=error.error, needed=None, cost=Usd("0"), released=())
    assert finished.answer is None


def test_a_call_of_unknown_outcome_is_lost_and_its_cost_unknown() -> None:
    """Unknown is null, never zero."""
    stage = Stage(OutcomeUnknown(ErrorKind.CUT, detail="half an answer"))
    stage.run()
    assert isinstance(stage.events()[-2], AttemptLost)
    assert stage.events()[-1].cost is None


def test_a_request_the_adapter_cannot_carry_fails_unbilled() -> None:
    """Nothing left, and the log says so."""
    stage = Stage(InvalidRequest("anthropic has no seed"))
    stage.run()
    failed = next(event for event in stage.events() if isinstance(event, AttemptFailed))
    assert failed.kind is ErrorKind.BAD_REQUEST
    assert not failed.billed


def test_a_defect_of_an_adapter_leaves_no_open_attempt() -> None:
    """Whatever it raises is recorded as a lost attempt."""
    stage = Stage(ZeroDivisionError("oops"))
    finished = stage.run()
    assert finished.run.status is RunStatus.FAILED
    assert isinstance(stage.events()[-2], AttemptLost)


def test_no_call_leaves_after_the_deadline() -> None:
    """The run fails before the wire."""
    stage = Stage()
    stage.clock.step = 2_000_000
    stage.run(timeout=1.0)
    assert stage.types()[-1] == "RunFailed"
    assert stage.events()[-1].kind is ErrorKind.DEADLINE
    assert not stage.client.calls


def test_the_call_gets_the_time_that_is_left() -> None:
    """Seconds to the run's deadline."""
    stage = Stage()
    stage.run(timeout=30.0)
    assert stage.client.calls[0].timeout == pytest.approx(30.0)
    assert next(event for event in stage.events() if isinstance(event, RunStarted)).deadline is not None


def test_a_cancelled_run_records_the_lost_attempt_and_its_end() -> None:
    """Then the cancellation goes on."""

    async def scenario() -> None:
        task = asyncio.create_task(stage.loop().run())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def hang(call: ModelCall) -> Answer:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError("never")

    reached = asyncio.Event()
    stage = Stage(hang)
    asyncio.run(scenario())
    lost, cancelled = stage.events()[-2:]
    assert isinstance(lost, AttemptLost)
    assert lost.kind is ErrorKind.CANCELLED
    assert isinstance(cancelled, RunCancelled)
    assert cancelled.cost is None


def test_a_cancellation_during_the_first_append_still_leaves_the_whole_append() -> None:
    """No call leaves, and the run ends as cancelled."""
    stage = Stage()

    async def scenario() -> None:
        task = asyncio.create_task(stage.loop().run())

        async def cancel(append: Append) -> None:
            task.cancel()
            await asyncio.sleep(0)

        stage.store.before_append = cancel
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert stage.types()[0] == "RunStarted"
    assert stage.types()[-1] == "RunCancelled"
    assert not stage.client.calls


def test_an_outcome_is_kept_when_somebody_else_ended_the_run_meanwhile() -> None:
    """The answer was paid: it is recorded after the end, and nothing is decided any more."""

    async def cancelled_meanwhile(call: ModelCall) -> Answer:
        await cancel_run(stage.log, RUN, by="somebody")
        return answer()

    stage = Stage(cancelled_meanwhile)
    finished = stage.run()
    assert stage.types() == [*BEFORE_THE_WIRE, "RunCancelled", "ModelCalled", "CostIncurred"]
    assert finished.run.status is RunStatus.CANCELLED
    assert finished.run.cost == Usd("0.0000243")


def test_no_call_leaves_when_somebody_else_ended_the_run_before_it() -> None:
    """The attempt lost the race to the log, so it does not start."""
    stage = Stage()
    ended_first = stage.log.new_events(RUN, [started(), RunCancelled(by="somebody", cost=Usd("0"), released=())])

    async def end_it(append: Append) -> None:
        await stage.store.append(Append(streams=(StreamAppend(RUN, Expected.NONE, ended_first),)))

    stage.store.before_append = end_it
    finished = stage.run()
    assert stage.types() == ["RunStarted", "RunCancelled"]
    assert finished.run.status is RunStatus.CANCELLED
    assert not stage.client.calls


def test_a_limit_nothing_fits_fails_before_the_wire_with_the_figure_that_does() -> None:
    """And a run with that figure succeeds."""
    stage = Stage()
    stage.run(max_cost=Usd("0.000001"))
    ended = stage.events()[-1]
    assert isinstance(ended, RunFailed)
    assert ended.kind is ErrorKind.BUDGET
    assert ended.needed is not None
    assert not stage.client.calls
    assert len(stage.store.appends) == 1
    enough = Stage()
    assert enough.run(max_cost=ended.needed).run.status is RunStatus.COMPLETED
    attempt = enough.client.calls[0]
    assert attempt.max_output_tokens < 1024


def test_what_became_durable_is_observed_in_order_and_only_then() -> None:
    """Log lines never tell of something that was not recorded."""
    stage = Stage()
    stage.run()
    assert [type(event).__name__ for event in stage.observed] == stage.types()
    assert isinstance(stage.observed[-1], RunCompleted)
