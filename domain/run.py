"""A run, folded from its events."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from .catalogue import ModelName
from .errors import ErrorKind
from .events import (
    AnsweredFromCache,
    AttemptFailed,
    AttemptLost,
    AttemptReconciled,
    AttemptStarted,
    ConfidenceScored,
    CostIncurred,
    Escalated,
    FeedbackGiven,
    Hold,
    ModelCalled,
    OnUnknown,
    PromptAssessed,
    RetryRefused,
    RoutingDecided,
    RunCancelled,
    RunClaimed,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunRescored,
    RunStarted,
    Settlement,
    Synthesized,
)
from .fast_replace import replace
from .pricing import EXACT
from .units import Timestamp, Usd, plain


class RunStatus(StrEnum):
    """Where a run stands."""

    NEW = "new"  # no event yet
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AttemptStatus(StrEnum):
    """What became of a call."""

    OPEN = "open"
    ANSWERED = "answered"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True)
class Attempt:
    """One paid call and what is known of it."""

    started: AttemptStarted
    outcome: ModelCalled | AttemptFailed | AttemptLost | None = None
    cost: CostIncurred | None = None
    confidence: ConfidenceScored | None = None
    reconciled: AttemptReconciled | None = None
    refused: RetryRefused | None = None  # one more attempt at its call

    @property
    def number(self) -> int:
        """From 1, in the order of starting."""
        return self.started.attempt

    @property
    def model(self) -> ModelName:
        """The model asked."""
        return self.started.model

    @property
    def status(self) -> AttemptStatus:
        """Answered, failed, lost, or open while there is no outcome."""
        match self.outcome:
            case None:
                return AttemptStatus.OPEN
            case ModelCalled():
                return AttemptStatus.ANSWERED
            case AttemptFailed():
                return AttemptStatus.FAILED
            case AttemptLost():
                return AttemptStatus.LOST

    @property
    def spent(self) -> Usd | None:
        """USD it cost; None where that is not known (yet)."""
        if self.cost is not None:
            return self.cost.amount
        if self.reconciled is not None:
            return self.reconciled.amount
        return Usd(0) if self.status is AttemptStatus.FAILED else None

    @property
    def is_settled(self) -> bool:
        """Whether nothing more can become of its money."""
        return self.spent is not None or self.cost is not None

    @property
    def error(self) -> ErrorKind | None:
        """Why there is no answer; None where there is one, or none yet."""
        return self.outcome.kind if isinstance(self.outcome, AttemptFailed | AttemptLost) else None


@dataclass(frozen=True)
class Held:
    """A hold as it stands now."""

    scope: str
    period: str
    version: int  # of the event that held it
    attempt: int | None  # whose own hold it is; None: the plan's
    amount: Usd


@dataclass(frozen=True)
class Run:
    """The state of a run after `version` events."""

    id: str
    version: int = 0
    epoch: int = 1
    started: RunStarted | None = None
    claim: RunClaimed | None = None  # the latest
    assessment: PromptAssessed | None = None
    routing: RoutingDecided | None = None
    held: tuple[Held, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    stage: int = 0  # of a chain: the call of the plan it has come to
    escalations: tuple[Escalated, ...] = ()
    synthesis: Synthesized | None = None  # the latest
    cached: AnsweredFromCache | None = None
    ended: RunCompleted | RunFailed | RunCancelled | None = None
    rescored: tuple[RunRescored, ...] = ()
    feedback: tuple[FeedbackGiven, ...] = ()  # in order; of each `by` and attempt the latest stands

    @property
    def status(self) -> RunStatus:
        """New, running, or how it ended."""
        match self.ended:
            case RunCompleted():
                return RunStatus.COMPLETED
            case RunFailed():
                return RunStatus.FAILED
            case RunCancelled():
                return RunStatus.CANCELLED
            case None:
                return RunStatus.RUNNING if self.started else RunStatus.NEW

    @property
    def deadline(self) -> Timestamp | None:
        """When it is given up; None: never. Who takes a run over gives it a new one."""
        if self.claim is not None and self.claim.deadline is not None:
            return self.claim.deadline
        return self.started.deadline if self.started else None

    @property
    def on_unknown(self) -> OnUnknown | None:
        """What follows an attempt whose outcome is unknown; None before the start."""
        if self.claim is not None and self.claim.on_unknown is not None:
            return self.claim.on_unknown
        return self.started.settings.on_unknown if self.started else None

    @property
    def label(self) -> FeedbackGiven | None:
        """What was said last of the answer it ended with."""
        return next((one for one in reversed(self.feedback) if one.attempt is None), None)

    @property
    def model(self) -> ModelName | None:
        """Who answered; where nobody did, who was asked last; None where nobody was."""
        if self.cached is not None:
            return self.cached.model
        if isinstance(self.ended, RunCompleted) and self.ended.attempt is not None:
            return self.attempt(self.ended.attempt).model
        return self.attempts[-1].model if self.attempts else None

    def attempt(self, number: int) -> Attempt:
        """The attempt of that number. Raises LookupError where there is none."""
        for attempt in self.attempts:
            if attempt.number == number:
                return attempt
        raise LookupError(f"run {self.id} has no attempt {number}")

    def of_call(self, index: int) -> tuple[Attempt, ...]:
        """The attempts at one call of the plan, in order."""
        return tuple(attempt for attempt in self.attempts if attempt.started.call == index)

    @property
    def cost(self) -> Usd | None:
        """USD of every attempt; None where one's cost is unknown: it is under way, lost, or its model has no price."""
        total = EXACT.create_decimal(0)
        for attempt in self.attempts:
            if attempt.spent is None:
                return None
            total = EXACT.add(total, attempt.spent)
        return Usd(plain(total))

    @property
    def spent(self) -> Usd:
        """USD known to be gone."""
        total = EXACT.create_decimal(0)
        for attempt in self.attempts:
            total = EXACT.add(total, attempt.spent or Usd(0))
        return Usd(plain(total))


def fold(run_id: str, events: tuple[RunEvent, ...] | list[RunEvent]) -> Run:
    """The run after all its events."""
    run = Run(run_id)
    for event in events:
        run = evolve(run, event)
    return run


def evolve(run: Run, event: RunEvent) -> Run:
    """The run after `event`. Total: a recorded fact is never refused; of two that contradict, the first stands."""
    return replace(_apply(run, event), version=run.version + 1)


def _apply(run: Run, event: RunEvent) -> Run:
    match event:
        case RunStarted():
            return run if run.started else replace(run, started=event)
        case RunClaimed():
            return replace(run, claim=event, epoch=event.epoch) if event.epoch > run.epoch else run
        case PromptAssessed():
            return run if run.assessment else replace(run, assessment=event)
        case RoutingDecided():
            return run if run.routing else replace(run, routing=event, held=_hold(run, event.holds, None))
        case AttemptStarted():
            known = any(attempt.number == event.attempt for attempt in run.attempts)
            attempts = (*run.attempts, Attempt(event))
            return run if known else replace(run, attempts=attempts, held=_hold(run, event.hold, event.attempt))
        case Escalated():
            return replace(run, stage=_stage_of(run, event), escalations=(*run.escalations, event))
        case Synthesized():
            return replace(run, synthesis=event)
        case AnsweredFromCache():
            return run if run.cached else replace(run, cached=event)
        case (
            ModelCalled()
            | AttemptFailed()
            | AttemptLost()
            | RetryRefused()
            | AttemptReconciled()
            | CostIncurred()
            | ConfidenceScored()
        ):
            attempts = tuple(_learn(attempt, event) for attempt in run.attempts)
            if attempts == run.attempts:  # known before: its money is settled
                return run
            return replace(run, attempts=attempts, held=_settle(run.held, getattr(event, "settles", ())))
        case RunCompleted() | RunFailed() | RunCancelled():
            return run if run.ended else replace(run, ended=event, held=_settle(run.held, event.released))
        case RunRescored():
            return replace(run, rescored=(*run.rescored, event))
        case FeedbackGiven():
            return replace(run, feedback=(*run.feedback, event))
    assert_never(event)


def _hold(run: Run, holds: tuple[Hold, ...], attempt: int | None) -> tuple[Held, ...]:
    """The holds with those that the next event adds."""
    version = run.version + 1
    return run.held + tuple(Held(hold.scope, hold.period, version, attempt, hold.amount) for hold in holds)


def _settle(held: tuple[Held, ...], settlements: tuple[Settlement, ...]) -> tuple[Held, ...]:
    """The holds with what left them taken away."""
    left = {(one.scope, one.period, one.version): one for one in held}
    for gone in settlements:
        place = (gone.scope, gone.period, gone.held_by)
        if place in left:
            amount = Usd(plain(EXACT.subtract(left[place].amount, gone.held)))
            left[place] = replace(left[place], amount=amount)
    return tuple(left.values())


def _stage_of(run: Run, event: Escalated) -> int:
    """Where the chain is after it moved on."""
    plan = run.routing.plan if run.routing else ()
    return next((index for index, call in enumerate(plan) if call.model == event.to_model), run.stage + 1)


Outcome = ModelCalled | AttemptFailed | AttemptLost | RetryRefused | AttemptReconciled | CostIncurred | ConfidenceScored


def _learn(attempt: Attempt, event: Outcome) -> Attempt:
    """What an attempt's event adds to it; a late answer of a lost attempt replaces the not knowing."""
    if attempt.number != event.attempt:
        return attempt
    match event:
        case ModelCalled() | AttemptFailed():
            late = attempt.status in (AttemptStatus.OPEN, AttemptStatus.LOST)
            return replace(attempt, outcome=event) if late else attempt
        case AttemptLost():
            return attempt if attempt.outcome else replace(attempt, outcome=event)
        case RetryRefused():
            return attempt if attempt.refused else replace(attempt, refused=event)
        case AttemptReconciled():
            return replace(attempt, reconciled=event)
        case CostIncurred():
            return attempt if attempt.cost else replace(attempt, cost=event)
        case ConfidenceScored():
            return attempt if attempt.confidence else replace(attempt, confidence=event)
    assert_never(event)
