"""Runs that never were, told as the product would have told them: its own decisions over seeded outcomes.

What is due, the assessment, the plan, the scores, the syntheses and the money's settlements all come from the product's
code; only what the world answers, and when, is drawn. `simulate_run` gives a run's commits and what is true of it.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, cast

from model_orchestrator.application.attempts import OutcomeRecorder, attempt_started, crashed
from model_orchestrator.application.decisions import Decisions, assess, run_started, score
from model_orchestrator.application.ports import Answer, Content, RunLog
from model_orchestrator.application.world import StartRun, World
from model_orchestrator.domain.actions import Action, AssessPrompt, CallModel, DecideRoute, ScoreAnswer, Synthesize
from model_orchestrator.domain.budget import settled
from model_orchestrator.domain.errors import ErrorKind, ModelRefused, ModelUnavailable, OutcomeUnknown
from model_orchestrator.domain.events import (
    AttemptFailed,
    AttemptReconciled,
    AttemptStarted,
    ConfidenceScored,
    ContentRef,
    Evidence,
    PromptAssessed,
    RoutingDecided,
    RunCancelled,
    RunClaimed,
    RunEvent,
)
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.pricing import Usage
from model_orchestrator.domain.request import Request, prompt_request
from model_orchestrator.domain.retry import RetryPolicy, retry_delay
from model_orchestrator.domain.routing import decide
from model_orchestrator.domain.run import AttemptStatus, Run, evolve
from model_orchestrator.domain.strategies import due
from model_orchestrator.domain.strategies.progress import confidence_of
from model_orchestrator.domain.synthesis import Member
from model_orchestrator.domain.units import MILLION, Duration, Timestamp, Usd

DAY = 24 * 3600 * MILLION
ANSWERS = (
    "The answer is 42.",
    "It is 42. The product of six and seven is 42, as any table of multiplication shows.",
    "I am not sure, but it might be 41. I cannot verify that.",
    "The answer is 41.",
    "Python is a programming language: readable, dynamic, with a large standard library.",
    "Perhaps. It depends on many things that I do not know, so this is only a guess.",
    "```python\ndef add(a, b):\n    return a + b\n```\nThe function adds two numbers.",
    "First split the load over three workers, then store each event once; the queue keeps the order.",
)
REJECTED = (
    (ErrorKind.AUTH, 401),
    (ErrorKind.BAD_REQUEST, 400),
    (ErrorKind.CONTEXT_WINDOW, 400),
    (ErrorKind.NOT_FOUND, 404),
)
BUSY = ((ErrorKind.RATE_LIMITED, 429), (ErrorKind.OVERLOADED, 529), (ErrorKind.CONNECTION, None))
UNKNOWN = ((ErrorKind.TIME_OUT, None), (ErrorKind.CUT, None), (ErrorKind.SERVER, 500), (ErrorKind.MALFORMED, 200))
FATES = ("quiet", "abandoned", "cancelled", "crashed", "stalled")
WEIGHTS = (94, 2, 2, 1, 1)


@dataclass(frozen=True)
class Commit:
    """Events that became durable together, of one run."""

    at: Timestamp
    version: int  # of the stream, before
    events: tuple[RunEvent, ...]
    contents: tuple[Content, ...]
    recorded_at: dict[int, Timestamp]  # of every version that this and earlier commits wrote


class SeededLog:
    """What decisions need of a RunLog: references, drawn from the seed. Without `texts` nothing is kept."""

    def __init__(self, rng: random.Random, ref: Callable[[str], tuple[ContentRef, bytes]]) -> None:
        self._rng = rng
        self._ref = ref

    def keep_text(self, run_id: str, text: str, subject: str | None) -> tuple[ContentRef, list[Content]]:
        reference, salt = self._ref(text)
        return reference, [Content(ref=reference.id, stream=run_id, subject=subject, salt=salt, body=text)]


@dataclass
class SimulatedRun:
    """A run on its way; `commits` are in order of time."""

    rng: random.Random
    world: World
    command: StartRun
    began: Timestamp
    log: SeededLog
    keep_request: Callable[[str, Request, str | None], tuple[ContentRef, list[Content]]]
    prompt: str
    commits: list[Commit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run = Run(self.command.run_id)
        self.now = self.began
        self._answers: dict[int, Answer] = {}
        self._outcomes = OutcomeRecorder(
            cast(RunLog, self.log), self.run.id, subject=self.command.subject, keep_content=self.command.keep_content
        )
        self._decisions = Decisions(self.command, self.world, cast(RunLog, self.log), self._answers, self._members)
        self._pending: list[RunEvent] = []
        self._contents: list[Content] = []
        self._recorded_at: dict[int, Timestamp] = {}
        self._queue: list[tuple[int, int, Any]] = []  # what is to come: (when, tie, what)
        self._busy: set[int] = set()  # calls of the plan that wait or are under way
        self._tie = 0
        self._fate = self.rng.choices(FATES, WEIGHTS)[0]

    def play(self) -> list[Commit]:
        """From the start to after the end."""
        reference: ContentRef | None = None
        contents: list[Content] = []
        if self.command.keep_content:
            reference, contents = self.keep_request(self.run.id, self.command.request, self.command.subject)
        self._record(run_started(self.command, self.world, reference, self.now), contents)
        self._proceed()
        while self._queue:
            moment, _, what = heapq.heappop(self._queue)
            self.now = Timestamp(moment)
            if isinstance(what, CallModel):
                self._start(what)
                self._flush()
            elif not self._interfere(what):
                self._arrive(what)
                self._proceed()
        self._reconcile()
        return self.commits

    # ---- the loop ----

    def _proceed(self) -> None:
        """Decide, start what may leave, and commit."""
        while True:
            actions = [a for a in due(self.run) if not (isinstance(a, CallModel) and a.index in self._busy)]
            decisions = [action for action in actions if not isinstance(action, CallModel)]
            if not decisions:
                break
            for action in decisions:
                events, contents = self._decide(action)
                for event in events:
                    self._record(event)
                self._contents.extend(contents)
        for call in (action for action in actions if isinstance(action, CallModel)):
            self._busy.add(call.index)
            attempts = self.run.of_call(call.index)
            outcome = attempts[-1].outcome if attempts else None
            wait = (outcome.retry_in or 0) if isinstance(outcome, AttemptFailed) else 0
            if wait:
                self._later(wait, call)
            else:
                self._start(call)
        self._flush()

    def _decide(self, action: Action) -> tuple[Sequence[RunEvent], Sequence[Content]]:
        match action:
            case AssessPrompt():
                return [assessed(self.prompt)], []
            case DecideRoute():
                return [self._routed()], []
            case ScoreAnswer(attempt=number):
                answer = self._answers[number]
                return [replace(scored(self.prompt, answer.text, answer.finish_reason), attempt=number)], []
            case Synthesize() if not self.command.keep_content:
                return self._synthesized(action)
            case _:
                return self._decisions.perform(self.run, action, ())

    def _synthesized(self, action: Synthesize) -> tuple[Sequence[RunEvent], Sequence[Content]]:
        """As decided the first time for the same answers: without texts it is a value of nothing else."""
        verdict = self._answers[action.by].text if action.by is not None else None
        key = (self.prompt, action, self._members(action.attempts), verdict)
        if key not in SYNTHESES:
            SYNTHESES[key] = self._decisions.perform(self.run, action, ())
        return SYNTHESES[key]

    def _routed(self) -> RoutingDecided:
        key = (self.prompt, self.command.strategy, self.command.settings, self.command.max_cost, self.world.provider)
        budgets = self.world.budgets_of(self.command)
        if (*key, budgets) not in ROUTES:
            ROUTES[*key, budgets] = decide(self._decisions.routing_inputs(self.run, ()))
        return ROUTES[*key, budgets]

    def _start(self, action: CallModel) -> None:
        model = self.world.model(action.call.model)
        started = attempt_started(self.run, action, model, provider=self.world.provider)
        self._record(started)
        latency = Duration(int(self.rng.lognormvariate(13.6 + model.capability.rank / 3, 0.6)))
        self._later(latency, (started, action, latency))

    def _arrive(self, what: tuple[AttemptStarted, CallModel, Duration]) -> None:
        """An outcome of a call that left."""
        started, action, latency = what
        self._busy.discard(started.call)
        luck = self.rng.random()
        if luck < 0.94:
            answer = self._answer(started, action, latency)
            self._answers[started.attempt] = answer
            outcome = self._outcomes.answered(started, answer, latency)
        elif luck < 0.98:
            outcome = self._refused(started, latency)
        else:
            kind, status = self.rng.choice(UNKNOWN)
            outcome = self._outcomes.failed(started, OutcomeUnknown(kind, status=status), latency)
        self._record_all(outcome)

    def _refused(self, started: AttemptStarted, latency: Duration) -> tuple[list[RunEvent], list[Content]]:
        if self.rng.random() < 0.25:
            refusal = self.rng.choice(REJECTED)
            return self._outcomes.failed(started, ModelRefused(refusal[0], status=refusal[1]), latency)
        kind, status = self.rng.choice(BUSY)
        after = Duration(self.rng.randrange(1, 9) * MILLION) if kind is ErrorKind.RATE_LIMITED else None
        delay = retry_delay(
            kind,
            retry=len(self.run.of_call(started.call)),
            draw=self.rng.random(),
            retry_after=after,
            policy=RetryPolicy(retries=self.command.settings.max_attempts - 1),
        )
        error = ModelUnavailable(kind, status=status, retry_after=None if after is None else after / MILLION)
        return self._outcomes.failed(started, error, latency, retry_in=delay)

    def _answer(self, started: AttemptStarted, action: CallModel, latency: Duration) -> Answer:
        rng, call = self.rng, action.call
        inputs = min(call.max_input_tokens, max(1, round(call.expected_input_tokens * rng.uniform(0.7, 1.3))))
        cached = inputs // 2 if rng.random() < 0.2 else 0
        output = rng.randint(1, max(1, min(call.max_output_tokens, 2 * call.expected_output_tokens)))
        reasoning = output // 3 if rng.random() < 0.1 else 0
        usage = Usage(input_uncached=inputs - cached, cache_read=cached, output=output - reasoning, reasoning=reasoning)
        return Answer(
            text=rng.choice(ANSWERS),
            finish_reason=rng.choices((FinishReason.STOP, FinishReason.LENGTH, FinishReason.REFUSAL), (96, 3, 1))[0],
            usage=None if rng.random() < 0.01 else usage,
            response_model=started.api_id,
            provider_request_id=f"req-{rng.getrandbits(64):016x}",
            first_token=Duration(latency // 4) if rng.random() < 0.5 else None,
            money=self.world.money,
        )

    # ---- what comes between ----

    def _interfere(self, what: Any) -> bool:
        """The run's fate, once, when its first outcome would come; True where that outcome does not come now."""
        fate, self._fate = self._fate, "quiet"
        if fate == "abandoned":  # Ctrl+C: what is under way is lost, and the run ends
            self._queue = []
            for attempt in self.run.attempts:
                if attempt.status is AttemptStatus.OPEN:
                    error = OutcomeUnknown(ErrorKind.CANCELLED)
                    self._record_all(self._outcomes.failed(attempt.started, error, Duration(self.now - self.began)))
            self._record(RunCancelled(by=self.world.worker, cost=self.run.cost, released=()))
            self._flush()
        elif fate == "cancelled":  # by another process; what left is still recorded
            self._record(RunCancelled(by="local", cost=self.run.cost, released=()))
            self._flush()
            self._queue = [one for one in self._queue if not isinstance(one[2], CallModel)]
            self._later(Duration(MILLION // 10), what)
        elif fate in ("crashed", "stalled"):
            late = [what, *(entry[2] for entry in self._queue if not isinstance(entry[2], CallModel))]
            self._queue, self._busy = [], set()
            self.now = Timestamp(self.now + self.rng.randrange(60, 7200) * MILLION)
            self._record(RunClaimed(epoch=self.run.epoch + 1, worker="other:2"))
            for lost in crashed(self.run):
                self._record(lost)
            self._proceed()
            if fate == "stalled":  # the first worker comes back with its answers, hours after the run ended
                for one in late:
                    self._later(Duration(self.rng.randrange(10, 20) * 3600 * MILLION), one)
        return fate != "quiet"

    def _reconcile(self) -> None:
        """A day later most lost attempts are settled: at the most they can cost, or at what the provider billed."""
        for attempt in self.run.attempts:
            if attempt.spent is None and attempt.status is AttemptStatus.LOST and self.rng.random() < 0.8:
                self.now = Timestamp(self.now + DAY + self.rng.randrange(DAY))
                most = attempt.started.max_cost or Usd(0)
                evidence = self.rng.choice(list(Evidence))
                amount = most if evidence is Evidence.ASSUMED else Usd(most / 2)
                self._record(
                    AttemptReconciled(attempt=attempt.number, amount=amount, evidence=evidence, by="local", settles=())
                )
                self._flush()

    # ---- recording ----

    def _later(self, after: int, what: Any) -> None:
        self._tie += 1
        heapq.heappush(self._queue, (self.now + after, self._tie, what))

    def _record_all(self, outcome: tuple[Sequence[RunEvent], Sequence[Content]]) -> None:
        for event in outcome[0]:
            self._record(event)
        self._contents.extend(outcome[1])

    def _record(self, event: RunEvent, contents: Sequence[Content] = ()) -> None:
        event = settled(self.run, event)
        self.run = evolve(self.run, event)
        self._pending.append(event)
        self._contents.extend(contents)

    def _flush(self) -> None:
        if not self._pending:
            return
        before = self.run.version - len(self._pending)
        for version in range(before + 1, self.run.version + 1):
            self._recorded_at[version] = self.now
        self.commits.append(Commit(self.now, before, tuple(self._pending), tuple(self._contents), self._recorded_at))
        self._pending, self._contents = [], []

    def _members(self, attempts: tuple[int, ...]) -> tuple[Member, ...]:
        members = (
            Member(
                attempt=number,
                model=self.run.attempt(number).model,
                capability=self.world.model(self.run.attempt(number).model).capability,
                text=self._answers[number].text,
                confidence=confidence_of(self.run.attempt(number)),
            )
            for number in attempts
        )
        return tuple(sorted(members, key=lambda member: -member.capability.rank))


ROUTES: dict[Any, RoutingDecided] = {}
SYNTHESES: dict[Any, tuple[Sequence[RunEvent], Sequence[Content]]] = {}


@cache
def request_of(prompt: str) -> Request:
    return prompt_request(prompt)


@cache
def assessed(prompt: str) -> PromptAssessed:
    return assess(request_of(prompt))


@cache
def scored(prompt: str, text: str, finish_reason: FinishReason) -> ConfidenceScored:
    answer = Answer(text=text, finish_reason=finish_reason, usage=None)
    return score(1, answer, request_of(prompt))
