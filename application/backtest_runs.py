"""Runs of the log as a backtest reads them: what was asked, read, decided and answered, without its texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..domain.catalogue import ModelName
from ..domain.events import (
    ContentRef,
    Exclusion,
    Exploration,
    Forecast,
    Method,
    PromptAssessed,
    Purpose,
    StrategySettings,
)
from ..domain.finish import FinishReason
from ..domain.units import MILLION, Probability, Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class PastStart:
    """What a run was asked."""

    strategy: str
    settings: StrategySettings
    provider: str
    category: str
    catalogue: str  # its hash
    max_cost: Usd | None = None
    request: ContentRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCall:
    """A call of a recorded plan."""

    model: ModelName
    expected_input_tokens: int
    max_input_tokens: int
    max_output_tokens: int
    purpose: Purpose
    scores: int | None = None  # the call of the plan whose answer it scores


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRouting:
    """What was decided, as far as a backtest reads it."""

    strategy: str
    plan: tuple[PastCall, ...]
    excluded: tuple[Exclusion, ...]
    usable: tuple[ModelName, ...]
    threshold: Probability | None
    method: Method | None
    forecast: Forecast | None = None
    exploration: Exploration | None = None


@dataclass(slots=True)
class PastAttempt:
    """A call that was made."""

    number: int
    model: ModelName
    purpose: Purpose
    call: int = 0  # of the plan
    latency: int | None = None  # microseconds; None: not answered
    finish_reason: FinishReason | None = None
    cost: int | None = None  # picodollars; None: unknown, or not known yet
    scores: dict[str, int] = field(default_factory=dict)  # millionths by scorer, the run's own first


@dataclass(slots=True)
class PastRun:
    """A run as the log has it."""

    id: str
    started_at: int  # microseconds
    start: PastStart
    assessment: PromptAssessed | None = None
    routing: PastRouting | None = None
    attempts: dict[int, PastAttempt] = field(default_factory=dict)
    escalations: int = 0
    final: int | None = None  # the attempt whose answer was given
    ended_at: int | None = None  # None: it goes on
    is_unreadable: bool = False  # it has an event that this build does not know
    labels: dict[tuple[int | None, str], int] = field(default_factory=dict)  # millionths by attempt and who said so

    def label(self, number: int) -> float | None:
        """How good an attempt's answer is, 0..1: the mean over who said so; None where nobody did."""
        is_final = number == self.final
        mine = [at for at in self.labels if at[0] == number or (at[0] is None and is_final)]
        return sum(self.labels[at] for at in mine) / len(mine) / MILLION if mine else None

    @property
    def cost(self) -> int | None:
        """Picodollars of all attempts; None where one's is unknown."""
        return spent_on(self.attempts.values())

    def judges_of(self, attempts: Sequence[PastAttempt]) -> list[PastAttempt]:
        """The calls in which a model scored the answers of these attempts."""
        plan = self.routing.plan if self.routing else ()
        calls = {one.call for one in attempts}
        return [one for one in self.attempts.values() if one.call < len(plan) and plan[one.call].scores in calls]


def spent_on(attempts: Iterable[PastAttempt]) -> int | None:
    """Picodollars in all; None where one's cost is unknown."""
    costs = [one.cost for one in attempts]
    return None if None in costs else sum(one or 0 for one in costs)


def scored(attempt: PastAttempt) -> tuple[str, int] | None:
    """The score that was given first, with who gave it."""
    return next(iter(attempt.scores.items()), None)
