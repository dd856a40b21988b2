"""The one loop: performs what a run owes, appends what happened, folds it, and asks again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

from ..domain import routing
from ..domain.actions import Action, AssessPrompt, CallModel, Complete, DecideRoute, Fail, ScoreAnswer
from ..domain.catalogue import Catalogue, ModelConfig
from ..domain.complexity import ComplexityAnalyzer
from ..domain.confidence import ConfidenceDetector
from ..domain.errors import ErrorKind, InvalidRequest, ModelError, ModelRefused, OutcomeUnknown
from ..domain.events import (
    ConfidenceScored,
    ContentRef,
    Exclusion,
    ModelCalled,
    PromptAssessed,
    RunCancelled,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunStarted,
    StrategySettings,
)
from ..domain.request import Request
from ..domain.run import Run
from ..domain.strategies import due
from ..domain.units import MILLION, Duration, Timestamp, Usd, probability
from .attempts import OutcomeRecorder, attempt_started
from .ports import Answer, Append, Clock, Content, DeltaSink, ModelCall, ModelClient, RunLog
from .session import Observer, RunSession, uninterrupted


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun:
    """The command that starts a run."""

    run_id: str
    request: Request
    strategy: str = "cheapest"
    settings: StrategySettings = StrategySettings()
    category: str = "orchestration"
    tags: dict[str, str] = field(default_factory=dict)
    owner: str = "local"
    subject: str | None = None
    max_cost: Usd | None = None
    timeout: float | None = None  # seconds, for the whole run
    keep_content: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The models a run can see, and how they are reached."""

    provider: str  # live, simulated or recorded:NAME
    catalogue: Catalogue
    catalogue_hash: str
    policy_hash: str
    usable: tuple[ModelConfig, ...]
    unusable: tuple[Exclusion, ...]
    client_for: Callable[[ModelConfig], ModelClient]
    worker: str
    observe: Observer
    introduce: Append | None = None  # catalogue and policy, where the database does not hold them yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run that ended here, with what only this process has seen."""

    run: Run
    answer: Answer | None
    latency: Duration


class RunLoop:
    """One run on its way to its end."""

    def __init__(
        self, command: StartRun, world: World, log: RunLog, clock: Clock, sink: DeltaSink | None = None
    ) -> None:
        self._command = command
        self._world = world
        self._log = log
        self._clock = clock
        self._sink = sink
        self._session = RunSession(log, Run(command.run_id), observe=world.observe, beside=world.introduce)
        self._outcomes = OutcomeRecorder(
            log, command.run_id, subject=command.subject, keep_content=command.keep_content
        )
        self._answers: dict[int, Answer] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def run(self) -> Finished:
        """Start the run and drive it to its end. Cancelled, it leaves a truthful log and raises CancelledError."""
        began = self._clock.monotonic()
        await self._start()
        try:
            await self._drive()
        except asyncio.CancelledError:
            await uninterrupted(self._abandon())
            raise
        run = self._session.run
        accepted = run.ended.attempt if isinstance(run.ended, RunCompleted) else 0
        return Finished(
            run=run,
            answer=self._answers.get(accepted),
            latency=Duration(self._clock.monotonic() - began),
        )

    async def _start(self) -> None:
        command, world = self._command, self._world
        reference: ContentRef | None = None
        contents: list[Content] = []
        if command.keep_content:
            reference, contents = await self._log.keep_request(command.run_id, command.request, command.subject)
        deadline = None if command.timeout is None else self._clock.now() + round(command.timeout * MILLION)
        started = RunStarted(
            request=reference,
            strategy=command.strategy,
            settings=command.settings,
            category=command.category,
            tags=command.tags,
            owner=command.owner,
            subject=command.subject,
            max_cost=command.max_cost,
            deadline=None if deadline is None else Timestamp(deadline),
            provider=world.provider,
            catalogue=world.catalogue_hash,
            policy=world.policy_hash,
            worker=world.worker,
        )
        self._session.record(started, contents)

    async def _drive(self) -> None:
        """Decide, append, call, until nothing is due and nothing is under way."""
        while True:
            calls = self._decide()
            await self._session.flush()
            for call in calls:
                if self._may_leave(call):
                    self._calls.add(asyncio.create_task(self._perform(call)))
            if self._calls:
                done, self._calls = await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            elif not due(self._session.run):
                return

    def _decide(self) -> list[CallModel]:
        """Fold every pure decision that is due; the calls that are due then are recorded and returned."""
        calls = []
        while actions := due(self._session.run):
            for action in actions:
                if isinstance(action, CallModel) and not self._is_late():
                    calls.append(action)
                self._session.record(self._fact(action))
        return calls

    def _fact(self, action: Action) -> RunEvent:
        """The event an action becomes."""
        run = self._session.run
        match action:
            case AssessPrompt():
                return assess(self._command.request)
            case DecideRoute():
                return self._route(run)
            case CallModel() if self._is_late():
                return RunFailed(kind=ErrorKind.DEADLINE, needed=None, cost=run.cost, released=())
            case CallModel(call=planned):
                model = self._model(planned.model)
                return attempt_started(action, model, provider=self._world.provider, epoch=run.epoch)
            case ScoreAnswer(attempt=number):
                return score(number, self._answers[number], self._command.request)
            case Complete(attempt=number):
                return _completed(run, number)
            case Fail(kind=kind, needed=needed):
                return RunFailed(kind=kind, needed=needed, cost=run.cost, released=())
        assert_never(action)

    def _route(self, run: Run) -> RunEvent:
        assert run.assessment is not None, "a route is due only after the assessment"
        return routing.decide(
            self._command.request,
            run.assessment,
            usable=self._world.usable,
            unusable=self._world.unusable,
            settings=self._command.settings,
            max_cost=self._command.max_cost,
        )

    def _may_leave(self, call: CallModel) -> bool:
        """Whether the attempt is in the log: another process may have ended the run before it got there."""
        run = self._session.run
        return run.ended is None and any(attempt.number == call.attempt for attempt in run.attempts)

    async def _perform(self, action: CallModel) -> None:
        """Ask the model and record what came back."""
        started = self._session.run.attempt(action.attempt).started
        model = self._model(started.model)
        call = ModelCall(
            model=model,
            request=self._command.request,
            max_output_tokens=started.max_output_tokens,
            timeout=self._time_left(),
        )
        began = self._clock.monotonic()
        try:
            answer = await self._world.client_for(model).complete(call, self._sink)
        except InvalidRequest as error:  # the adapter cannot carry the request: nothing left
            refused = ModelRefused(ErrorKind.BAD_REQUEST, detail=str(error))
            self._session.record_all(self._outcomes.failed(started, refused, self._since(began)))
        except ModelError as error:
            self._session.record_all(self._outcomes.failed(started, error, self._since(began)))
        except asyncio.CancelledError:
            cut = OutcomeUnknown(ErrorKind.CANCELLED)
            self._session.record_all(self._outcomes.failed(started, cut, self._since(began)))
            raise
        except Exception as error:  # a defect of an adapter must not leave an attempt without an outcome
            defect = OutcomeUnknown(ErrorKind.MALFORMED, detail=f"{type(error).__name__}: {error}")
            self._session.record_all(self._outcomes.failed(started, defect, self._since(began)))
        else:
            self._answers[action.attempt] = answer
            self._session.record_all(self._outcomes.answered(started, answer, self._since(began)))

    async def _abandon(self) -> None:
        """Cancelled from outside: what is under way is cut and recorded as lost, then the run ends."""
        for task in self._calls:
            task.cancel()
        if self._calls:
            await asyncio.wait(self._calls)
        run = self._session.run
        if not run.ended:
            self._session.record(RunCancelled(by=self._world.worker, cost=run.cost, released=()))
        await self._session.flush()

    def _model(self, name: str) -> ModelConfig:
        return next(model for model in self._world.usable if model.name == name)

    def _time_left(self) -> float | None:
        """Seconds to the deadline; None where there is none."""
        started = self._session.run.started
        if started is None or started.deadline is None:
            return None
        return (started.deadline - self._clock.now()) / MILLION

    def _is_late(self) -> bool:
        left = self._time_left()
        return left is not None and left <= 0

    def _since(self, began: Duration) -> Duration:
        return Duration(self._clock.monotonic() - began)


def assess(request: Request) -> PromptAssessed:
    """What the request needs, by the built-in analyzer."""
    found = ComplexityAnalyzer().assess(request)
    return PromptAssessed(
        capability=found.capability,
        confidence=found.confidence,
        task_type=found.task_type,
        signals=found.signals,
        assessor=found.assessor,
    )


def score(attempt: int, answer: Answer, request: Request) -> ConfidenceScored:
    """How far the answer can be trusted; the geometric mean of its token probabilities stands beside, where given."""
    found = ConfidenceDetector().score(answer.text, finish_reason=answer.finish_reason, question=request.prompt)
    signals = dict(found.signals)
    if answer.logprobs:
        signals["token_probability"] = probability(math.exp(math.fsum(answer.logprobs) / len(answer.logprobs)))
    return ConfidenceScored(attempt=attempt, score=found.score, signals=signals, scorer=found.scorer)


def _completed(run: Run, number: int) -> RunCompleted:
    attempt = run.attempt(number)
    assert isinstance(attempt.outcome, ModelCalled), "only an answered attempt can end a run"
    assert attempt.confidence is not None, "an answer is scored before it is accepted"
    return RunCompleted(
        attempt=number,
        answer=attempt.outcome.answer,
        confidence=attempt.confidence.score,
        cost=run.cost,
        released=(),
    )
