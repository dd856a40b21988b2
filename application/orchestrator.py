"""The one loop: performs what a run owes, appends what happened, folds it, and asks again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

from ..domain.actions import CallModel
from ..domain.errors import ErrorKind, StoreError
from ..domain.events import (
    AnsweredFromCache,
    ContentRef,
    Headroom,
    OnUnknown,
    RunCancelled,
    RunClaimed,
    RunFailed,
)
from ..domain.run import Run, RunStatus
from ..domain.strategies import due
from ..domain.units import MILLION, Duration, Timestamp
from .answer_cache import cache_entry
from .attempts import crashed, headroom_of, recalled, retry_refused
from .calls import Caller
from .decisions import Decisions, run_started
from .departure import Departure
from .leasing import Tenure
from .ports import Answer, Append, Clock, Content, DeltaSink, HoldRefused, RunLog
from .session import KeyIsTaken, RunSession, uninterrupted
from .world import StartRun, World

PATIENCE = 8  # refusals of a budget that others use at the same time, before the run is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run as this process leaves it."""

    run: Run
    answer: Answer | None
    justification: str | None  # of a synthesis, in words
    started_at: Timestamp
    latency: Duration


class RunLoop:
    """One run on its way to its end."""

    def __init__(
        self,
        command: StartRun,
        world: World,
        log: RunLog,
        clock: Clock,
        sink: DeltaSink | None = None,
        *,
        epoch: int = 1,
        departure: Departure | None = None,
    ) -> None:
        self._departure = departure or Departure()
        self._command = command
        self._world = world
        self._log = log
        self._clock = clock
        self._sink = sink
        self._session = RunSession(
            log,
            command.run_id,
            observe=world.observe,
            money=world.money,
            beside=replace(world.introduce or Append(streams=()), claim=command.claim),
            cache_entry=lambda run: cache_entry(command, run, clock),
        )
        self._tenure = Tenure(world.leases, command.run_id, world.worker, epoch, ttl=world.lease)
        self._caller = Caller(self._session, command, world, log, clock, sink, lambda: self._is_owner)
        self._decisions = Decisions(command, world, log, self._caller.answers, self._caller.members)
        self._headroom: dict[tuple[str, str], Headroom] = {}
        self._refusals = 0
        self._departure.tell(self._caller.drop_waiting)

    async def run(self, earlier: AnsweredFromCache | None = None) -> Finished:
        """Start the run and drive it to its end; with an earlier answer of the same request it ends at once.

        Cancelled, it leaves a truthful log and raises CancelledError. Raises KeyIsTaken where nothing was started.
        """
        reference: ContentRef | None = None
        contents: list[Content] = []
        if self._command.keep_content:
            reference, contents = await self._log.keep_request(
                self._command.run_id, self._command.request, self._command.subject
            )
        self._session.record(run_started(self._command, self._world, reference, self._clock.now()), contents)
        if earlier is not None:
            self._session.record(earlier)
        return await self._to_the_end()

    async def resume(self, *, on_unknown: OnUnknown | None = None, failure: ErrorKind | None = None) -> Finished | None:
        """Take over a run whose worker is gone: what it left open is lost, then the same loop goes on.

        The run gets the command's timeout anew. With a `failure` it only ends, as that. None: another worker has it.
        """
        async with self._tenure:
            if self._tenure.is_lost or not await self._claim(on_unknown):
                return None
            if failure is not None and self._is_owner:
                run = self._session.run
                self._session.record(RunFailed(kind=failure, needed=None, cost=run.cost, released=()))
            return await self._finish()

    async def _claim(self, on_unknown: OnUnknown | None) -> bool:
        """Append the claim; False where the run ended meanwhile, or somebody else claimed it."""
        timeout = self._command.timeout
        deadline = None if timeout is None else Timestamp(self._clock.now() + round(timeout * MILLION))
        while True:
            conflicts = self._session.conflicts
            self._session.load(await self._log.read(self._command.run_id))
            run = self._session.run
            if run.status is not RunStatus.RUNNING or run.epoch >= self._tenure.epoch:
                return False
            self._session.record(
                RunClaimed(
                    epoch=self._tenure.epoch, worker=self._world.worker, deadline=deadline, on_unknown=on_unknown
                )
            )
            for lost in crashed(run):
                self._session.record(lost)
            await self._session.flush()
            if self._session.conflicts == conflicts:
                return True

    async def _to_the_end(self) -> Finished:
        async with self._tenure:
            return await self._finish()

    async def _finish(self) -> Finished:
        began, started_at = self._clock.monotonic(), self._clock.now()
        try:
            await self._drive()
        except KeyIsTaken:
            raise
        except Exception as error:
            await uninterrupted(self._leave(error))
            raise
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            await uninterrupted(self._abandon())
            raise
        await self._caller.load_answers()  # of who ended the run, where that was another
        run = self._session.run
        answer = await recalled(self._log, run) if run.cached else self._caller.answer_of(run)
        if answer is not None and self._sink is not None and run.routing and run.routing.strategy != "cheapest":
            self._sink(answer.text)  # the one that stands, in one piece
        return Finished(
            run=run,
            answer=answer,
            justification=self._decisions.justification,
            started_at=started_at,
            latency=Duration(self._clock.monotonic() - began),
        )

    async def _drive(self) -> None:
        """Decide, append, call, until nothing is due and nothing is under way."""
        while True:
            for call in await self._decide():
                await self._caller.admit(call)
            try:
                refused = await self._session.flush()
            except KeyIsTaken:
                await self._caller.forget_unsent()
                raise
            if refused:
                await self._caller.forget_unsent()
                self._learn(refused)
                continue
            self._caller.launch()
            if self._departure.is_known:
                self._caller.drop_waiting()
            if self._caller.is_busy:
                if refused := await self._caller.first_outcome():
                    self._learn(refused)
            elif not self._is_owner or not due(self._session.run):
                await self._session.flush()
                return

    async def _decide(self) -> list[CallModel]:
        """Fold every pure decision that is due; what is left are the calls that are due and not under way."""
        await self._caller.load_answers()
        await self._tenure.confirm()
        while self._is_owner:
            actions = due(self._session.run)
            decisions = [action for action in actions if not isinstance(action, CallModel)]
            if not decisions:
                calls = [a for a in actions if isinstance(a, CallModel) and not self._caller.is_under_way(a)]
                if calls and self._departure.is_known:
                    return self._start_nothing()
                if not calls or not self._caller.is_late():
                    return calls
                self._session.record_all((self._decisions.late(self._session.run), []))
            for action in decisions:
                headroom = tuple(self._headroom.values())
                self._session.record_all(self._decisions.perform(self._session.run, action, headroom))
        return []

    def _start_nothing(self) -> list[CallModel]:
        """Nobody waits for the answer any more: once no call is under way, the run ends."""
        run = self._session.run
        if not self._caller.is_busy:
            self._session.record(RunCancelled(by=self._departure.by or "", cost=run.cost, released=()))
        return []

    @property
    def _is_owner(self) -> bool:
        """Whether this worker may start work: its lease holds, and nobody claimed the run after it."""
        return not self._tenure.is_lost and self._session.run.epoch == self._tenure.epoch

    def _learn(self, refused: HoldRefused) -> None:
        """A budget has less room than the plan needs: decide again with what it has."""
        run = self._session.run
        if run.routing is not None:  # one more attempt at a lost call was refused: the plan goes on without it
            retries = [one for one in due(run) if isinstance(one, CallModel) and not self._caller.is_under_way(one)]
            for refusal in retry_refused(run, retries, refused):
                self._session.record(refusal)
            return
        self._refusals += 1
        if self._refusals >= PATIENCE:  # of a budget that others keep taking from, nothing is left to plan with
            refused = replace(refused, held=max(refused.held, refused.limit - refused.settled))
        self._headroom[refused.scope, refused.period] = headroom_of(refused)

    async def _leave(self, error: Exception) -> None:
        """Left under way for who resumes it: what was sent is waited for, and recorded if that can be done now.

        Raises StoreError that names the run, where `error` is one.
        """
        await self._caller.let_finish()
        self._session.forget_decisions()
        await self._caller.close_unsent()
        if not self._session.is_durable:
            return
        with suppress(StoreError):
            await self._session.flush()
        if isinstance(error, StoreError):
            run = self._command.run_id
            raise type(error)(
                f"{error}; once that is put right, `model-orchestrator runs resume {run}` goes on"
            ) from error

    async def _abandon(self) -> None:
        """Cancelled from outside: what is under way is cut and recorded as lost, then the run ends or is left open."""
        ends = not self._departure.is_resumable
        await self._caller.cut(ErrorKind.CANCELLED if ends else ErrorKind.CRASH)
        self._session.forget_calls()
        await self._caller.close_unsent()
        run = self._session.run
        if ends and not run.ended and self._is_owner:
            self._session.record(RunCancelled(by=self._world.worker, cost=run.cost, released=()))
        await self._session.flush()
