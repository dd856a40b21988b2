"""A run, folded from its events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from .catalogue import ModelName
from .errors import ErrorKind
from .events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    ConfidenceScored,
    CostIncurred,
    ModelCalled,
    PromptAssessed,
    RoutingDecided,
    RunCancelled,
    RunClaimed,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunStarted,
)
from .pricing import EXACT
from .units import Usd, plain


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


@dataclass(frozen=True, slots=True)
class Attempt:
    """One paid call and what is known of it."""

    started: AttemptStarted
    outcome: ModelCalled | AttemptFailed | AttemptLost | None = None
    cost: CostIncurred | None = None
    confidence: ConfidenceScored | None = None

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
    def error(self) -> ErrorKind | None:
        """Why there is no answer; None where there is one, or none yet."""
        return self.outcome.kind if isinstance(self.outcome, AttemptFailed | AttemptLost) else None


@dataclass(frozen=True, slots=True)
class Run:
    """The state of a run after `version` events."""

    id: str
    version: int = 0
    epoch: int = 1
    started: RunStarted | None = None
    assessment: PromptAssessed | None = None
    routing: RoutingDecided | None = None
    routing_version: int = 0  # of the event that holds the plan's money
    attempts: tuple[Attempt, ...] = ()
    ended: RunCompleted | RunFailed | RunCancelled | None = None

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

    def attempt(self, number: int) -> Attempt:
        """The attempt of that number. Raises LookupError where there is none."""
        for attempt in self.attempts:
            if attempt.number == number:
                return attempt
        raise LookupError(f"run {self.id} has no attempt {number}")

    @property
    def cost(self) -> Usd | None:
        """USD of every attempt; None where one's cost is unknown: it is under way, lost, or its model has no price."""
        total = EXACT.create_decimal(0)
        for attempt in self.attempts:
            if attempt.cost is not None and attempt.cost.amount is not None:
                total = EXACT.add(total, attempt.cost.amount)
            elif attempt.cost is not None or attempt.status is not AttemptStatus.FAILED:
                return None
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
        case RunClaimed(epoch=epoch):
            return replace(run, epoch=max(run.epoch, epoch))
        case PromptAssessed():
            return run if run.assessment else replace(run, assessment=event)
        case RoutingDecided():
            return run if run.routing else replace(run, routing=event, routing_version=run.version + 1)
        case AttemptStarted():
            known = any(attempt.number == event.attempt for attempt in run.attempts)
            return run if known else replace(run, attempts=(*run.attempts, Attempt(event)))
        case ModelCalled() | AttemptFailed() | AttemptLost() | CostIncurred() | ConfidenceScored():
            return replace(run, attempts=tuple(_learn(attempt, event) for attempt in run.attempts))
        case RunCompleted() | RunFailed() | RunCancelled():
            return run if run.ended else replace(run, ended=event)
    assert_never(event)


def _learn(
    attempt: Attempt, event: ModelCalled | AttemptFailed | AttemptLost | CostIncurred | ConfidenceScored
) -> Attempt:
    """What an attempt's event adds to it; a late answer of a lost attempt replaces the not knowing."""
    if attempt.number != event.attempt:
        return attempt
    match event:
        case ModelCalled() | AttemptFailed():
            late = attempt.status in (AttemptStatus.OPEN, AttemptStatus.LOST)
            return replace(attempt, outcome=event) if late else attempt
        case AttemptLost():
            return attempt if attempt.outcome else replace(attempt, outcome=event)
        case CostIncurred():
            return attempt if attempt.cost else replace(attempt, cost=event)
        case ConfidenceScored():
            return attempt if attempt.confidence else replace(attempt, confidence=event)
    assert_never(event)
