"""The questions the read models answer. Every answer is exact: what is new in the log is folded first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, Self

from ..domain.filters import CALL_FIELDS, Compare, Condition, Field, Kind, Op, Unknown
from ..domain.units import Timestamp
from ..projections.cost_report import CostRow
from ..projections.model_report import ModelStats
from ..projections.model_totals import ModelTotal
from ..projections.overview import Overview
from ..projections.run_report import ALWAYS, AttemptRow, Place, Range, RunCount, RunRow
from ..projections.usage_report import CachedAnswers, ObservedUsage

PENDING = (  # attempts that are lost and whose cost is not known
    Compare(CALL_FIELDS["status"], Op.EQUAL, "lost"),
    Unknown(CALL_FIELDS["cost"]),
    Unknown(Field("charged_money", Kind.TEXT)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionStatus:
    """How a read model stands."""

    name: str
    version: int
    state: str  # live, behind, stopped, rebuilding; none: never asked for
    checkpoint: int  # the last position of the log it has folded
    lag: int  # events behind the log's head, of every type
    stopped_at: int | None  # the position of an event that cannot be folded
    stopped_type: str | None
    stopped_why: str | None
    rows: dict[str, int]  # by table


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What a page of metrics counts, of one moment and over the whole log; from roll-ups only."""

    calls: Sequence[CostRow]  # by provider, model and status
    totals: Sequence[ModelTotal]
    runs: Sequence[RunCount]  # by strategy, status and cached_model
    events: int  # in the log
    lag: Mapping[str, int]  # by read model: events of any type that nobody had folded before this was asked
    stopped: frozenset[str]  # read models that cannot get past an event: their figures are those of the one before


class ReadModels(Protocol):
    """Blocking; usable from any thread. Ranges are half-open [since, until), in microseconds UTC, of the run's start.

    Every condition is to be met: on RUN_FIELDS of runs and what they used, MODEL_FIELDS of models, CALL_FIELDS else.
    Raises StoreError, ProjectionStopped where the log holds an event that cannot be folded, InvalidRequest for a field
    that the question cannot be asked by.
    """

    def kept(self) -> AbstractContextManager[None]:
        """While it lasts, questions that follow each other need not connect anew."""

    def costs(
        self, *, by: Sequence[str] = (), ranges: Sequence[Range] = (ALWAYS,), conditions: Sequence[Condition] = ()
    ) -> list[CostRow]:
        """Calls, tokens and money: a row a range, kind of money and group."""

    def model_stats(self, *, span: Range = ALWAYS, conditions: Sequence[Condition] = ()) -> list[ModelStats]:
        """How each model does."""

    def run_counts(
        self, *, by: Sequence[str] = (), ranges: Sequence[Range] = (ALWAYS,), conditions: Sequence[Condition] = ()
    ) -> list[RunCount]:
        """How many runs."""

    def runs(
        self,
        *,
        span: Range = ALWAYS,
        conditions: Sequence[Condition] = (),
        limit: int | None = None,
        oldest_first: bool = False,
        after: Place | None = None,
    ) -> Iterator[RunRow]:
        """Runs, newest first, as they are read: any number; only those that come `after` a place in the order."""

    def time_of_runs(self, span: Range = ALWAYS) -> Range | None:
        """When the first and when the last of them began; None without any."""

    def dearest_runs(
        self,
        *,
        span: Range = ALWAYS,
        conditions: Sequence[Condition] = (),
        limit: int,
        after: tuple[int, str] | None = None,
    ) -> Iterator[RunRow]:
        """Runs that called a model and whose whole cost is known, the dearest first; those behind a cost and run."""

    def attempts(
        self,
        *,
        span: Range = ALWAYS,
        conditions: Sequence[Condition] = (),
        limit: int | None = None,
        oldest_first: bool = False,
    ) -> Iterator[AttemptRow]:
        """Attempts, newest run first, as they are read: any number."""

    def observed_usage(
        self, *, span: Range = ALWAYS, conditions: Sequence[Condition] = (), bounds: Sequence[int] = ()
    ) -> list[ObservedUsage]:
        """What completed runs used and cost, apart by catalogue, model, and between which `bounds` inputs are long."""

    def cached_answers(self, *, span: Range = ALWAYS, conditions: Sequence[Condition] = ()) -> list[CachedAnswers]:
        """What answers given again saved."""

    def overview(self, today: Range, *, most: int) -> Overview:
        """What a monitor shows, of one moment: today's calls, runs under way and the last ones, `most` each."""

    def as_of(self, moment: Timestamp) -> Self:
        """The same questions to the log as it was then: folded anew, beside the live tables."""

    def status(self) -> list[ProjectionStatus]:
        """How each read model stands; folds nothing."""

    def metered(self) -> Metered:
        """What a page of metrics counts; where a read model stopped, as it was then: no ProjectionStopped."""
