"""The calls of one run: admitted within the limits, sent, and recorded as they come back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ..domain.actions import CallModel
from ..domain.breaker import BreakerState, BreakerStatus
from ..domain.call_planning import features_asked
from ..domain.catalogue import ModelConfig
from ..domain.conclusion import clipped
from ..domain.errors import ErrorKind, InvalidRequest, ModelError, ModelRefused, OutcomeUnknown, StoreError
from ..domain.events import AttemptFailed, AttemptStarted, ModelCalled, PlannedCall, Purpose, RunCompleted
from ..domain.judging import fuse_request, judge_request, score_request
from ..domain.request import Request
from ..domain.retry import RetryPolicy, retry_delay
from ..domain.run import AttemptStatus, Run
from ..domain.synthesis import Member
from ..domain.tokens import bound_input
from ..domain.units import MILLION, Duration
from .attempts import OutcomeRecorder, attempt_started, restored
from .limits import Breakers, Grant, model_breaker, provider_breaker
from .members import members_of
from .ports import Answer, Clock, DeltaSink, HoldRefused, ModelCall, RunLog
from .session import RunSession
from .world import StartRun, World

WORTH_TELLING = 1.0  # seconds: a shorter wait for a rate limit is not told
SHORTEST = 0.01  # share of each answer that a judge is shown at least


@dataclass(slots=True)
class Place:
    """A call that is due: what it waits for, and its place in the model's queue."""

    action: CallModel
    wait: float  # seconds
    grant: Grant | None
    attempt: int = 0  # once it is recorded
    epoch: int = 0  # its attempt's: another worker's may have the same number


class Caller:
    """Makes the calls of a run; `answers` holds what came back, by attempt."""

    def __init__(
        self,
        session: RunSession,
        command: StartRun,
        world: World,
        log: RunLog,
        clock: Clock,
        sink: DeltaSink | None,
        is_owner: Callable[[], bool] = lambda: True,
    ) -> None:
        self._session = session
        self._command = command
        self._world = world
        self._log = log
        self._clock = clock
        self._sink = sink
        self._is_owner = is_owner
        self._outcomes = OutcomeRecorder(
            log, command.run_id, subject=command.subject, keep_content=command.keep_content
        )
        self.answers: dict[int, Answer] = {}
        self._places: dict[int, Place] = {}  # by call of the plan: due and not recorded, or recorded and not answered
        self._tasks: dict[asyncio.Task[HoldRefused | None], int] = {}
        self._cut_as = ErrorKind.CANCELLED

    def is_under_way(self, action: CallModel) -> bool:
        """Whether this process makes the call already."""
        return action.index in self._places

    @property
    def is_busy(self) -> bool:
        """Whether an outcome is to come."""
        return bool(self._tasks)

    async def admit(self, action: CallModel) -> None:
        """Take a place in the model's queue; a call that may leave now is recorded as an attempt."""
        model = self._world.model(action.call.model)
        wait, grant = self._back_off(action), None
        limits = self._world.limits_of(model)
        if self._world.limiter is not None and not limits.unlimited:
            tokens = action.call.expected_input_tokens + action.call.expected_output_tokens
            grant = await self._world.limiter.reserve(model.name, limits, tokens=tokens)
            wait = max(wait, grant.wait)
        place = self._places[action.index] = Place(action, wait, grant)
        if wait <= 0:
            self._start(place)

    def launch(self) -> None:
        """Send every call that has a place and no task yet."""
        running = set(self._tasks.values())
        for index, place in self._places.items():
            if index not in running:
                self._tasks[asyncio.create_task(self._make(place))] = index

    async def first_outcome(self) -> HoldRefused | None:
        """Wait until at least one call came back; what a budget refused on the way, if it did."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        refused = None
        for task in done:
            place = self._places.pop(self._tasks.pop(task))
            if task.cancelled():  # it waited for its place, and was dropped
                await self._give_back(place)
            else:
                refused = task.result() or refused
        return refused

    def drop_waiting(self) -> None:
        """What still waits for its place does not leave."""
        for task, index in self._tasks.items():
            if not self._places[index].attempt:
                task.cancel()

    async def let_finish(self) -> None:
        """Wait for what was sent, since it is paid; what still waits for its place does not leave."""
        self.drop_waiting()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def cut(self, kind: ErrorKind) -> None:
        """Cancel what is under way; what left is recorded as lost, for this reason."""
        self._cut_as = kind
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def close_unsent(self) -> None:
        """The calls that were to leave and did not: their places go back, and their attempts have cost nothing."""
        for place in self._places.values():
            started = self._recorded(place)
            if started is not None and self._session.run.attempt(started.attempt).status is AttemptStatus.OPEN:
                self._failed(started, ModelRefused(ErrorKind.CANCELLED), self._clock.monotonic())
            elif started is not None:
                continue
            await self._give_back(place)

    async def forget_unsent(self) -> None:
        """What was to be recorded was refused: those calls do not leave, and give their places back."""
        running = set(self._tasks.values())
        for place in [place for index, place in self._places.items() if index not in running]:
            del self._places[place.action.index]
            await self._give_back(place)

    def is_late(self) -> bool:
        """Whether the run's time is up."""
        left = self._time_left()
        return left is not None and left <= 0

    # ---- one call ----

    async def _make(self, place: Place) -> HoldRefused | None:
        if place.wait > 0 and not await self._wait(place):
            return None
        if not place.attempt:
            if self._session.run.ended or not self._is_owner():
                await self._give_back(place)
                return None
            self._start(place)
            if refused := await self._session.flush():
                await self._give_back(place)
                return refused
        started = self._recorded(place)
        if self._session.run.ended or started is None:  # somebody else was first
            await self._give_back(place)
            return None
        await self._ask(place, started)
        return None

    def _recorded(self, place: Place) -> AttemptStarted | None:
        """The attempt of the place, if it is one; None where it was forgotten, or somebody else was first."""
        mine = (place.attempt, place.action.index, place.epoch)
        found = (one.started for one in self._session.run.attempts)
        return next((one for one in found if (one.attempt, one.call, one.epoch) == mine), None)

    def _start(self, place: Place) -> None:
        model = self._world.model(place.action.call.model)
        started = attempt_started(self._session.run, place.action, model, provider=self._world.provider)
        self._session.record(started)
        place.attempt, place.epoch = started.attempt, started.epoch

    async def _wait(self, place: Place) -> bool:
        """Sleep until the call may leave; False where the run's time is up before."""
        left = self._time_left()
        if place.grant is not None and place.grant.wait >= max(WORTH_TELLING, place.wait):  # no back-off is longer
            self._world.on_wait(self._command.run_id, place.action.call.model, place.grant.wait)
        try:
            await asyncio.sleep(place.wait if left is None else max(0.0, min(place.wait, left)))
        except asyncio.CancelledError:
            await self._give_back(place)
            raise
        if self.is_late():
            await self._give_back(place)
            return False
        return True

    async def _ask(self, place: Place, started: AttemptStarted) -> None:
        """Ask the model and record what came back."""
        model = self._world.model(started.model)
        began = self._clock.monotonic()
        if not await self._may_call(model):
            self._failed(started, ModelRefused(ErrorKind.BREAKER), began)
            await self._give_back(place)
            return
        try:
            call = self._call(place.action, model, started)
            answer = await self._world.client_for(model).complete(call, self._live_sink(place.action))
        except InvalidRequest as error:  # the adapter cannot carry the request: nothing left
            self._failed(started, ModelRefused(ErrorKind.BAD_REQUEST, detail=str(error)), began)
        except ModelError as error:
            self._failed(started, error, began)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            self._failed(started, OutcomeUnknown(self._cut_as), began)
            raise
        except Exception as error:  # a defect of an adapter must not leave an attempt without an outcome
            self._failed(started, OutcomeUnknown(ErrorKind.MALFORMED, detail=f"{type(error).__name__}: {error}"), began)
        else:
            self.answers[started.attempt] = answer
            self._session.record_all(self._outcomes.answered(started, answer, self._since(began)))
        with suppress(StoreError):  # the answer is paid for: it does not depend on what others are told
            await self._tell(place, model, self._session.run.attempt(started.attempt).error)

    def _live_sink(self, action: CallModel) -> DeltaSink | None:
        """Where pieces go as they arrive: of a chain or an ensemble nobody knows yet which answer will stand."""
        routing = self._session.run.routing
        live = routing is not None and routing.strategy == "cheapest" and action.call.scores is None
        return self._sink if live else None

    def _failed(self, started: AttemptStarted, error: ModelError, began: Duration) -> None:
        """Record the failure, and whether it is tried again."""
        retry_in = None if isinstance(error, OutcomeUnknown) else self._retry_in(started, error)
        self._session.record_all(self._outcomes.failed(started, error, self._since(began), retry_in=retry_in))

    def _retry_in(self, started: AttemptStarted, error: ModelError) -> Duration | None:
        settings, left = self._command.settings, self._time_left()
        return retry_delay(
            error.error,
            retry=len(self._session.run.of_call(started.call)),
            draw=self._world.draw(),
            retry_after=None if error.retry_after is None else Duration(round(error.retry_after * MILLION)),
            left=None if left is None else Duration(round(left * MILLION)),
            policy=RetryPolicy(retries=settings.max_attempts - 1),
        )

    def _call(self, action: CallModel, model: ModelConfig, started: AttemptStarted) -> ModelCall:
        return ModelCall(
            model=model,
            request=self._request(action, model),
            max_output_tokens=started.max_output_tokens,
            timeout=self._time_left(),
        )

    def _request(self, action: CallModel, model: ModelConfig) -> Request:
        """The run's own request; for a judge or an aggregator, one about the answers it is shown."""
        if not action.judges:
            return self._command.request
        members = self.members(action.judges)
        ask = _asking(action.call)
        request, share = ask(self._command.request, members), 1.0
        while bound_input(request) > action.call.max_input_tokens and share > SHORTEST:
            share *= 0.8
            request = ask(self._command.request, clipped(members, share))
        if features_asked(request) <= self._world.model(action.call.model).carries:
            return request
        return replace(request, parameters=replace(request.parameters, response_format=None))  # its words ask for JSON

    # ---- limits and breakers ----

    def _back_off(self, action: CallModel) -> float:
        """Seconds a retry waits, as its failure said."""
        attempts = self._session.run.of_call(action.index)
        outcome = attempts[-1].outcome if attempts else None
        return (outcome.retry_in or 0) / MILLION if isinstance(outcome, AttemptFailed) else 0.0

    async def _may_call(self, model: ModelConfig) -> bool:
        breakers, provider = self._world.breakers, self._provider_breaker(model)
        if breakers is None:
            return True
        states = await breakers.states((provider, model_breaker(model.name)))
        if all(one.status is BreakerStatus.CLOSED for one in states.values()):
            return True
        said = await breakers.may_call(provider)
        if said.allows and (await breakers.may_call(model_breaker(model.name))).allows:
            return True
        if said.status is BreakerStatus.HALF_OPEN:  # the provider's probe was ours, and is not made
            await breakers.record(provider, ErrorKind.CANCELLED)
        return False

    def _provider_breaker(self, model: ModelConfig) -> str:
        return provider_breaker(model.provider.value, self._world.account_of(model))

    async def _tell(self, place: Place, model: ModelConfig, error: ErrorKind | None) -> None:
        """What the call used and how it went, for those who come next."""
        if self._world.limiter is not None and place.grant is not None:
            outcome = self._session.run.attempt(place.attempt).outcome
            usage = outcome.usage if isinstance(outcome, ModelCalled) else None
            if usage is not None:
                used = usage.input_tokens + usage.output_tokens
                await self._world.limiter.correct(place.grant, used_tokens=used)
        if self._world.breakers is not None:
            await self._record_health(self._world.breakers, model, error)

    async def _record_health(self, breakers: Breakers, model: ModelConfig, error: ErrorKind | None) -> None:
        """A refused key says nothing of the model, other failures little of the key."""
        of_model, of_provider = model_breaker(model.name), self._provider_breaker(model)
        if error is None and set((await breakers.states((of_model, of_provider))).values()) == {BreakerState()}:
            return  # an answer changes nothing of who is well
        auth = error is ErrorKind.AUTH
        await breakers.record(of_model, ErrorKind.CANCELLED if auth else error)
        await breakers.record(of_provider, error if auth or error is None else ErrorKind.CANCELLED)

    async def _give_back(self, place: Place) -> None:
        grant, place.grant = place.grant, None
        if self._world.limiter is not None and grant is not None:
            await self._world.limiter.cancel(grant)

    # ---- answers ----

    async def load_answers(self) -> None:
        """Read back the answers of attempts that another process made."""
        for attempt in self._session.run.attempts:
            if attempt.status is AttemptStatus.ANSWERED and attempt.number not in self.answers:
                assert isinstance(attempt.outcome, ModelCalled)
                references = (attempt.outcome.answer, attempt.outcome.raw)
                texts = [await self._log.text(one) if one is not None else None for one in references]
                money = attempt.cost.money if attempt.cost else self._world.money
                self.answers[attempt.number] = restored(attempt.outcome, *texts, money=money)

    def members(self, attempts: tuple[int, ...]) -> tuple[Member, ...]:
        """The answers of these attempts, the most capable model's first: of equals a synthesis takes the first."""
        return members_of(self._session.run, attempts, self.answers, self._world)

    def answer_of(self, run: Run) -> Answer | None:
        """The answer a completed run ended with."""
        accepted = run.ended.attempt if isinstance(run.ended, RunCompleted) else None
        return self.answers.get(accepted) if accepted is not None else None

    def _time_left(self) -> float | None:
        """Seconds to the deadline; None where there is none."""
        deadline = self._session.run.deadline
        return None if deadline is None else (deadline - self._clock.now()) / MILLION

    def _since(self, began: Duration) -> Duration:
        return Duration(self._clock.monotonic() - began)


def _asking(call: PlannedCall) -> Callable[[Request, Sequence[Member]], Request]:
    """What a call that reads answers asks of them."""
    if call.scores is not None:
        return lambda question, members: score_request(question, members[0])
    return fuse_request if call.purpose is Purpose.SYNTHESIS else judge_request
