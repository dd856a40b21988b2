"""A caller who leaves: what is under way is read to its end and costed, and nothing new starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from model_orchestrator.application.departure import Departure
from model_orchestrator.application.limits import Grant, Limits
from model_orchestrator.application.ports import Answer, ModelCall
from model_orchestrator.domain.errors import ErrorKind, ModelUnavailable
from model_orchestrator.domain.events import AttemptLost, ModelCalled, RunCancelled
from model_orchestrator.domain.run import RunStatus
from model_orchestrator.domain.units import Timestamp

from .world import RUN, Stage, answer


def leaving(
    departure: Departure, text: str = "I am not sure, it might be a language."
) -> Callable[[ModelCall], Awaitable[Answer]]:
    """A model that answers once the caller has left."""

    async def reply(call: ModelCall) -> Answer:
        departure.leave()
        return answer(text)

    return reply


def test_an_answer_under_way_is_recorded_and_the_run_completes() -> None:
    """Of one call nothing else would have started."""
    departure = Departure()
    stage = Stage(leaving(departure, "Python is a programming language."))
    finished = asyncio.run(stage.loop(departure=departure).run())
    assert finished.run.status is RunStatus.COMPLETED
    assert finished.run.cost is not None


def test_a_chain_does_not_go_on() -> None:
    """The first answer is costed; the second model is not asked, and the run ends as left by its client."""
    departure = Departure()
    stage = Stage(leaving(departure))
    finished = asyncio.run(stage.loop(strategy="fallback", departure=departure).run())
    assert len(stage.client.calls) == 1
    ended = stage.events()[-1]
    assert isinstance(ended, RunCancelled)
    assert ended.by == "client"
    assert ended.cost == finished.run.attempts[0].cost.amount  # type: ignore[union-attr]


def test_members_under_way_are_all_read_to_their_end() -> None:
    """Both answers of an ensemble are in the log, though nobody waits for them."""
    departure = Departure()
    stage = Stage(leaving(departure))
    asyncio.run(stage.loop("Compare REST and GraphQL", strategy="ensemble", departure=departure).run())
    started = stage.types().count("AttemptStarted")
    assert started >= 2
    assert sum(isinstance(event, ModelCalled) for event in stage.events()) == started


def test_no_call_leaves_for_who_left_before_it() -> None:
    """The run starts and ends, and costs nothing."""
    departure = Departure()
    departure.leave()
    stage = Stage()
    finished = asyncio.run(stage.loop(departure=departure).run())
    assert not stage.client.calls
    assert finished.run.status is RunStatus.CANCELLED
    assert finished.run.cost == 0


def test_a_retry_is_not_waited_for() -> None:
    """The failure was not billed: the run ends at once, and the back-off is not slept through."""
    departure = Departure()

    async def fail(call: ModelCall) -> Answer:
        asyncio.get_running_loop().call_soon(departure.leave)
        raise ModelUnavailable(ErrorKind.RATE_LIMITED, retry_after=3600.0)

    stage = Stage(fail)
    finished = asyncio.run(asyncio.wait_for(stage.loop(departure=departure).run(), 30))
    assert finished.run.status is RunStatus.CANCELLED
    assert len(stage.client.calls) == 1


class FullLimiter:
    """Gives every call a place an hour from now; counts those given back."""

    def __init__(self, then: Callable[[], None]) -> None:
        self.cancelled = 0
        self._then = then

    async def reserve(self, model: str, limits: Limits, *, tokens: int) -> Grant:
        asyncio.get_running_loop().call_later(0, self._then)
        return Grant(model=model, limits=limits, tokens=tokens, wait=3600.0, granted_at=Timestamp(0), receipt=None)

    async def correct(self, grant: Grant, *, used_tokens: int) -> None:
        raise AssertionError("nothing was used")

    async def expected_wait(self, model: str, limits: Limits, *, tokens: int) -> float:
        return 3600.0

    async def admit(self, model: str, limits: Limits) -> float:
        return 3600.0

    async def cancel(self, grant: Grant) -> None:
        self.cancelled += 1

    async def aclose(self) -> None:
        """Nothing to close."""


def test_a_place_in_the_queue_is_given_back() -> None:
    """A call that still waits for its rate limit does not leave."""
    departure = Departure()
    stage = Stage()
    limiter = stage.limiter = FullLimiter(departure.leave)
    finished = asyncio.run(asyncio.wait_for(stage.loop(departure=departure).run(), 30))
    assert finished.run.status is RunStatus.CANCELLED
    assert not stage.client.calls
    assert limiter.cancelled == 1


def test_a_run_that_is_cut_when_its_process_stops_can_be_resumed() -> None:
    """What left is lost; the run itself stays under way, for whoever resumes it."""
    departure, reached = Departure(), asyncio.Event()

    async def hang(call: ModelCall) -> Answer:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def scenario() -> None:
        task = asyncio.create_task(stage.loop(departure=departure).run())
        await reached.wait()
        departure.is_resumable = True
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    stage = Stage(hang)
    asyncio.run(scenario())
    assert isinstance(stage.events()[-1], AttemptLost)
    stage.client.reply = answer()
    finished = asyncio.run(stage.loop(epoch=2).resume())
    assert finished is not None
    assert finished.run.id == RUN
    assert finished.run.status is RunStatus.COMPLETED
