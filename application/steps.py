"""A run event by event, with its state after each: what is known by then, and what is due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, assert_never

from ..domain.actions import (
    Action,
    AssessPrompt,
    CallModel,
    Complete,
    DecideRoute,
    Escalate,
    Fail,
    ScoreAnswer,
    Synthesize,
)
from ..domain.budget import total
from ..domain.events import RunEvent
from ..domain.run import AttemptStatus, Run, evolve
from ..domain.strategies import due
from ..domain.units import Probability, Usd, fraction, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A run as it stands after an event. USD."""

    status: str
    stage: int  # of a chain, from 0
    model: str | None
    attempts: int
    under_way: tuple[int, ...]  # attempts
    spent: Usd
    is_cost_known: bool
    held: dict[str, Usd]  # by scope and period, as "global day"
    confidence: Probability | None  # the latest score
    due: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; amounts as decimal strings."""
        return {
            "status": self.status,
            "stage": self.stage,
            "model": self.model,
            "attempts": self.attempts,
            "under_way": list(self.under_way),
            "cost": plain(self.spent) if self.is_cost_known else None,
            "known_cost": plain(self.spent),
            "held": {budget: plain(amount) for budget, amount in self.held.items()},
            "confidence": None if self.confidence is None else fraction(self.confidence),
            "due": list(self.due),
        }

    @property
    def text(self) -> str:
        """For people, in a line."""
        known = "" if self.is_cost_known else " known"
        words = [self.status, *([f"stage {self.stage}"] if self.stage else []), *([self.model] if self.model else [])]
        words.append(f"${plain(self.spent)}{known}")
        words += [f"holds ${plain(amount)} of {budget}" for budget, amount in self.held.items()]
        words += [] if self.confidence is None else [f"confidence {fraction(self.confidence):.2f}"]
        waiting = [f"wait for attempt {number}" for number in self.under_way]
        return f"{', '.join(words)}; due: {', '.join([*self.due, *waiting]) or 'nothing'}"


def states(run_id: str, events: Iterable[RunEvent]) -> Iterator[State]:
    """The state after each event."""
    run = Run(run_id)
    for event in events:
        run = evolve(run, event)
        yield state_of(run)


def state_of(run: Run) -> State:
    """How the run stands."""
    held: dict[str, Usd] = {}
    for one in run.held:
        budget = f"{one.scope} {one.period}"
        held[budget] = total((held.get(budget), one.amount))
    scores = [one.confidence.score for one in run.attempts if one.confidence]
    return State(
        status=run.status.value,
        stage=run.stage,
        model=run.model,
        attempts=len(run.attempts),
        under_way=tuple(one.number for one in run.attempts if one.status is AttemptStatus.OPEN),
        spent=run.spent,
        is_cost_known=run.cost is not None,
        held={budget: amount for budget, amount in held.items() if amount},
        confidence=scores[-1] if scores else None,
        due=_due(run),
    )


def _due(run: Run) -> tuple[str, ...]:
    try:
        return tuple(_says(action) for action in due(run))
    except KeyError:
        return ("unknown: this build lacks the run's strategy",)


def _says(action: Action) -> str:
    match action:
        case AssessPrompt():
            return "assess the prompt"
        case DecideRoute():
            return "decide the route"
        case CallModel(call=call):
            return f"ask {call.model}"
        case ScoreAnswer(attempt=number):
            return f"score attempt {number}"
        case Escalate(from_call=from_call, to_call=to_call):
            return f"go on from {from_call.model} to {to_call.model}"
        case Synthesize(attempts=numbers):
            return f"compare attempts {', '.join(map(str, numbers))}"
        case Complete(attempt=number, reason=reason):
            return f"end with {'the cached answer' if number is None else f'attempt {number}'} ({reason.value})"
        case Fail(kind=kind):
            return f"end without an answer ({kind.value})"
    assert_never(action)
