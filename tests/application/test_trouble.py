"""What was paid is recorded, whatever breaks around it: the store, the leases, the interpreter's own exceptions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.application.ports import Answer, Append, AppendResult, Lease, ModelCall
from model_orchestrator.domain.errors import ErrorKind, ModelError, OutcomeUnknown, StoreError, StoreUnavailable
from model_orchestrator.domain.events import AttemptLost, ModelCalled, RunCancelled
from model_orchestrator.domain.run import AttemptStatus, Run, RunStatus, fold
from model_orchestrator.domain.units import Duration
from model_orchestrator.infrastructure.event_codec import decode
from model_orchestrator.infrastructure.run_log import StoredRunLog
from model_orchestrator.infrastructure.store.opening import open_store

from .world import RUN, CountingStore, Stage, answer


class FailingStore(CountingStore):
    """Fails the appends of these numbers, from 1; a lost one is written, and not acknowledged."""

    def __init__(self, failing: set[int], *, is_written: bool = False) -> None:
        super().__init__()
        self._failing = failing
        self._is_written = is_written
        self._number = 0

    async def append(self, append: Append) -> AppendResult:
        self._number += 1
        if self._number not in self._failing:
            return await super().append(append)
        if self._is_written:
            await super().append(append)
        raise StoreUnavailable("the disk is full")


def failing(*numbers: int, reply: Any = None, is_written: bool = False) -> Stage:
    stage = Stage(reply)
    stage.store = FailingStore(set(numbers), is_written=is_written)
    stage.log = StoredRunLog(stage.store, stage.clock, actor="test")
    return stage


def folded(stage: Stage) -> Run:
    return fold(RUN, stage.events())


def test_an_outcome_that_could_not_be_written_is_written_once_it_can_be_with_its_texts() -> None:
    """The error names the run and how to go on; going on pays nothing again."""
    stage = failing(2)
    with pytest.raises(StoreUnavailable, match=f"the disk is full; .*`model-orchestrator runs resume {RUN}`"):
        stage.run()
    (attempt,) = folded(stage).attempts
    assert attempt.is_settled
    assert isinstance(attempt.outcome, ModelCalled)
    assert attempt.outcome.answer is not None
    assert asyncio.run(stage.log.answer(attempt.outcome.answer)) == "Python is a programming language."
    loop = stage.loop()
    loop._tenure.epoch = 2
    finished = asyncio.run(loop.resume())
    assert finished is not None
    assert finished.run.status is RunStatus.COMPLETED
    assert len(stage.client.calls) == 1


def test_a_store_that_stays_broken_leaves_the_run_to_who_resumes_it() -> None:
    """The log is as it was before the wire."""
    stage = failing(2, 3)
    with pytest.raises(StoreUnavailable, match=RUN):
        stage.run()
    assert folded(stage).attempt(1).status is AttemptStatus.OPEN


def test_a_run_that_could_not_be_begun_is_not_named_and_leaves_nothing() -> None:
    """There is nothing to resume."""
    stage = failing(1)
    with pytest.raises(StoreUnavailable) as caught:
        stage.run()
    assert str(caught.value) == "the disk is full"
    assert (stage.recorded(), stage.client.calls) == ([], [])


def test_members_under_way_are_waited_for_and_recorded() -> None:
    """The first one's outcome could not be written; the other's is paid for too. No judge is asked any more."""
    second = asyncio.Event()
    calls = 0

    async def reply(call: ModelCall) -> Answer:
        nonlocal calls
        calls += 1
        if calls == 2:
            await second.wait()
        asyncio.get_running_loop().call_later(0.01, second.set)
        return answer("The answer is 4.")

    stage = failing(2, reply=reply)
    with pytest.raises(StoreUnavailable, match=RUN):
        stage.run(strategy="ensemble")
    assert [one.status for one in folded(stage).attempts] == [AttemptStatus.ANSWERED] * 2


def test_an_append_that_was_written_but_not_acknowledged_is_not_written_twice() -> None:
    """The next one meets a conflict, and finds its own events."""
    stage = failing(2, is_written=True)
    with pytest.raises(StoreUnavailable):
        stage.run()
    assert stage.types().count("ModelCalled") == 1
    assert stage.types().count("CostIncurred") == 1
    assert folded(stage).status is RunStatus.COMPLETED


@pytest.mark.parametrize(
    "reply",
    [
        answer(
            "half a character: \ud800, and nothing: \0", response_model="\ud800" * 300, provider_request_id="\udfff"
        ),
        OutcomeUnknown(ErrorKind.SERVER, detail="\ud800 and \0", provider_request_id="\udfff"),
    ],
    ids=["answered", "lost"],
)
def test_what_a_provider_said_is_stored_even_if_it_is_no_text(tmp_path: Path, reply: Answer | ModelError) -> None:
    """An answer comes back as it was."""

    async def work() -> None:
        stage = Stage(reply)
        store = open_store(f"sqlite:///{tmp_path / 'log.db'}")
        stage.log = StoredRunLog(store, stage.clock, actor="test")
        finished = await stage.loop(settings=replace(stage.loop()._command.settings, max_attempts=1)).run()
        assert finished.run.ended
        outcome = finished.run.attempt(1).outcome
        if isinstance(reply, Answer):
            assert isinstance(outcome, ModelCalled)
            assert outcome.answer is not None
            assert await stage.log.answer(outcome.answer) == reply.text
        else:
            assert isinstance(outcome, AttemptLost)
            assert outcome.detail is not None
            assert await stage.log.text(outcome.detail) == "\\ud800 and \\x00"
        await store.aclose()

    asyncio.run(work())


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_inside_a_call_is_an_outcome(error: type[BaseException]) -> None:
    """The attempt is lost, not open, and the run is cancelled."""

    async def reply(call: ModelCall) -> Answer:
        raise error

    stage = Stage(reply)
    with pytest.raises(error):
        stage.run()
    run = folded(stage)
    assert run.attempt(1).error is ErrorKind.CANCELLED
    assert isinstance(run.ended, RunCancelled)


def test_cancelled_twice_a_run_still_records_what_happened() -> None:
    """Whoever cancels is impatient; the log stays truthful all the same."""

    async def work() -> None:
        reached, writing, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def reply(call: ModelCall) -> Answer:
            reached.set()
            await asyncio.Event().wait()
            raise AssertionError

        async def slowly(append: Append) -> None:
            writing.set()
            await go_on.wait()

        stage = Stage(reply)
        task = asyncio.create_task(stage.loop().run())
        await reached.wait()
        stage.store.before_append = slowly
        task.cancel()
        await writing.wait()
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        recorded = await stage.store.read_stream(RUN)
        assert [one.type for one in recorded][-2:] == ["AttemptLost", "RunCancelled"]

    asyncio.run(work())


class BrokenLeases:
    """Gives a lease, and then cannot be reached."""

    async def acquire(self, run: str, *, worker: str, epoch: int, ttl: Duration) -> Lease | None:
        return Lease(run=run, worker=worker, epoch=epoch, expires_at=ttl)  # type: ignore[arg-type]

    async def renew(self, lease: Lease, *, ttl: Duration) -> Lease | None:
        raise StoreError("gone")

    async def release(self, lease: Lease) -> None:
        raise StoreError("gone")


def test_a_lease_that_cannot_be_given_back_takes_nothing_from_the_answer() -> None:
    """It runs out by itself."""
    stage = Stage()
    loop = stage.loop()
    loop._tenure._leases = BrokenLeases()  # type: ignore[assignment]
    assert asyncio.run(loop.run()).run.status is RunStatus.COMPLETED


def test_cancelled_before_a_call_left_the_call_has_cost_nothing() -> None:
    """Its attempt was recorded, and is known not to have been made: nothing stays held, nothing is left to resume."""

    async def work() -> None:
        stage = Stage()
        task = asyncio.create_task(stage.loop(strategy="ensemble").run())

        async def give_up(append: Append) -> None:
            task.cancel()

        stage.store.before_append = give_up
        with pytest.raises(asyncio.CancelledError):
            await task
        events = [decode(one.type, one.schema_version, one.payload) for one in await stage.store.read_stream(RUN)]
        assert [one.status for one in fold(RUN, events).attempts] == [AttemptStatus.FAILED] * 2
        assert isinstance(events[-1], RunCancelled)
        assert stage.client.calls == []

    asyncio.run(work())
