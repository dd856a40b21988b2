"""The ReadModels port: catch up, then ask one snapshot."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

from ...application.ports import EventStore
from ...application.read_models import Metered, ProjectionStatus
from ...domain.errors import ProjectionStopped
from ...domain.filters import Condition
from ...domain.units import Timestamp
from ...projections import run_report, usage_report
from ...projections.cost_report import CostRow, costs
from ...projections.filter_sql import Sql
from ...projections.model_report import ModelStats, model_report
from ...projections.model_totals import model_totals
from ...projections.overview import Overview, overview
from ...projections.projection import Names, Queryable
from ...projections.run_report import ALWAYS, AttemptRow, Place, Range, RunCount, RunRow
from ...projections.usage_report import CachedAnswers, ObservedUsage
from ..store.memory import MemoryStore
from .catch_up import FAR_BEHIND, STEP, CatchUp, Progress, stopped_text
from .kept_open import KeptOpen
from .log_source import LogSource, MemoryLog, open_log
from .proof import projection_problems
from .registry import PROJECTIONS, Registry
from .standing import lag_of, status_of
from .state import SqliteState, State, open_state
from .text_search import runs_with

Tell = Callable[[str], None]


class Snapshot(NamedTuple):
    """What is asked, as of one moment, and how each read model's tables are called."""

    tables: Queryable
    names: dict[str, Names]
    stopped: frozenset[str] = frozenset()  # read models that cannot get past an event


class StoredReadModels:
    """Read models of one log. `tell` gets a line where a question has to wait for much folding."""

    def __init__(self, url: str, *, store: EventStore | None = None) -> None:
        """`store` is needed where the log is in memory."""
        self._url = url
        self._store = store
        self.tell: Tell = lambda text: None
        self._state: State = open_state(url)
        self._logs = KeptOpen(self._open_log)
        self._until: Timestamp | None = None  # None: now

    @contextmanager
    def kept(self) -> Iterator[None]:
        """While it lasts, questions share connections."""
        with self._state.kept(), nullcontext() if self._url.startswith("sqlite:") else self._logs.kept():
            yield  # opening a file costs nothing

    def costs(
        self, *, by: Sequence[str] = (), ranges: Sequence[Range] = (ALWAYS,), conditions: Sequence[Condition] = ()
    ) -> list[CostRow]:
        """Calls, tokens and money: a row a range, kind of money and group."""
        with self._asking("attempts") as (tables, names, _):
            return costs(tables, names["attempts"], by=by, ranges=ranges, conditions=conditions)

    def model_stats(self, *, span: Range = ALWAYS, conditions: Sequence[Condition] = ()) -> list[ModelStats]:
        """How each model does."""
        with self._asking("attempts", "runs") as (tables, names, _):
            return model_report(tables, names["attempts"], names["runs"], span=span, conditions=conditions)

    def run_counts(
        self, *, by: Sequence[str] = (), ranges: Sequence[Range] = (ALWAYS,), conditions: Sequence[Condition] = ()
    ) -> list[RunCount]:
        """How many runs."""
        with self._asking("runs") as (tables, names, _):
            return run_report.run_counts(tables, names["runs"], by=by, ranges=ranges, conditions=conditions)

    def runs(
        self,
        *,
        span: Range = ALWAYS,
        conditions: Sequence[Condition] = (),
        limit: int | None = None,
        oldest_first: bool = False,
        after: Place | None = None,
    ) -> Iterator[RunRow]:
        """Runs, newest first, as they are read."""
        asked = {"span": span, "conditions": conditions, "limit": limit, "oldest_first": oldest_first, "after": after}
        return self._found(run_report.runs, asked)

    def time_of_runs(self, span: Range = ALWAYS) -> Range | None:
        """When the first and when the last of them began."""
        with self._asking("runs") as (tables, names, _):
            return run_report.time_of_runs(tables, names["runs"], span)

    def dearest_runs(
        self,
        *,
        span: Range = ALWAYS,
        conditions: Sequence[Condition] = (),
        limit: int,
        after: tuple[int, str] | None = None,
    ) -> Iterator[RunRow]:
        """Runs that called a model and whose whole cost is known, the dearest first."""
        asked = {"span": span, "conditions": conditions, "limit": limit, "after": after}
        return self._found(run_report.dearest_runs, asked)

    def _found(self, query: Callable[..., Sql], asked: Mapping[str, Any]) -> Iterator[RunRow]:
        with self._asking("attempts", "runs") as (tables, names, _):
            search = self._search(tables.dialect)
            found = query(tables, names["runs"], names["attempts"], search=search, **asked)
            for row in tables.stream(*found):
                yield RunRow(*row)

    def attempts(
        self,
        *,
        span: Range = ALWAYS,
        conditions: Sequence[Condition] = (),
        limit: int | None = None,
        oldest_first: bool = False,
    ) -> Iterator[AttemptRow]:
        """Attempts, newest run first, as they are read."""
        with self._asking("attempts") as (tables, names, _):
            query: Sql = run_report.attempts(
                names["attempts"],
                tables.dialect,
                span=span,
                conditions=conditions,
                limit=limit,
                oldest_first=oldest_first,
            )
            for row in tables.stream(*query):
                yield AttemptRow(*row)

    def observed_usage(
        self, *, span: Range = ALWAYS, conditions: Sequence[Condition] = (), bounds: Sequence[int] = ()
    ) -> list[ObservedUsage]:
        """What completed runs used and cost."""
        with self._asking("attempts", "runs") as (tables, names, _):
            return usage_report.observed_usage(
                tables,
                names["attempts"],
                names["runs"],
                search=self._search(tables.dialect),
                span=span,
                conditions=conditions,
                bounds=bounds,
            )

    def cached_answers(self, *, span: Range = ALWAYS, conditions: Sequence[Condition] = ()) -> list[CachedAnswers]:
        """What answers given again saved."""
        with self._asking("attempts", "runs") as (tables, names, _):
            return usage_report.cached_answers(
                tables,
                names["attempts"],
                names["runs"],
                search=self._search(tables.dialect),
                span=span,
                conditions=conditions,
            )

    def overview(self, today: Range, *, most: int) -> Overview:
        """What a monitor shows, of one moment."""
        with self._asking("attempts", "runs") as (tables, names, _):
            return overview(tables, names["attempts"], names["runs"], today=today, most=most)

    def metered(self) -> Metered:
        """What a page of metrics counts."""
        with self._state.kept():
            with self._logs.borrowed() as log:
                events = log.head()
            with self._state.reading() as tables:
                lag = lag_of(Registry(tables, self._state.schema).entries(), events)
            with self._asking("attempts", "runs", even_stopped=True) as (tables, names, stopped):
                return Metered(
                    calls=costs(tables, names["attempts"], by=("provider", "model", "status"), ranges=(ALWAYS,)),
                    totals=model_totals(tables, names["attempts"]),
                    runs=run_report.run_counts(tables, names["runs"], by=("strategy", "status", "cached_model")),
                    events=events,
                    lag=lag,
                    stopped=stopped,
                )

    def as_of(self, moment: Timestamp) -> StoredReadModels:
        """The same questions to the log as it was then."""
        then = StoredReadModels(self._url, store=self._store)
        then.tell = self.tell
        then._state, then._until = SqliteState(None), moment
        return then

    def status(self) -> list[ProjectionStatus]:
        """How each read model stands; folds nothing."""
        with self._logs.borrowed() as log:
            head = log.head()
        with self._state.reading() as tables:
            entries = Registry(tables, self._state.schema).entries()
            return [status_of(tables, self._state.schema, entries, one.name, one.version, head) for one in PROJECTIONS]

    def size(self) -> int:
        """Bytes that the state takes."""
        return self._state.size()

    def rebuild(self, names: Sequence[str] | None = None, progress: Progress | None = None) -> None:
        """Build anew, or go on with it, beside the live tables. Raises ProjectionStopped."""
        with self._logs.borrowed() as log:
            self._catch_up(log, processes=os.cpu_count() or 1).rebuild(names, progress)

    def catch_up(self, *names: str) -> None:
        """Fold what is new into the named read models, or all. A poison event stops its own only, silently."""
        with self._state.kept(), self._logs.borrowed() as log:
            behind = self._behind(log, names)
            if behind > FAR_BEHIND:
                self.tell(f"read models are {behind:,} events behind: folding them first")
            self._catch_up(log, processes=0).live(names or None)

    def problems(self) -> list[str]:
        """Where a live read model is not what the log comes to, a line each; those that are behind are no problem."""
        url = None if isinstance(self._store, MemoryStore) else self._url
        with self._logs.borrowed() as log:
            return projection_problems(log, self._state, url, os.cpu_count() or 1)

    def _open_log(self) -> LogSource:
        return MemoryLog(self._store) if isinstance(self._store, MemoryStore) else open_log(self._url)

    def _search(self, dialect: str) -> Callable[[str], Sql]:
        """The condition that a run has the words in a text."""
        listed = "SELECT value FROM json_each(?)"
        if dialect == "postgresql":
            listed = "SELECT jsonb_array_elements_text(CAST(? AS jsonb))"
        return lambda words: Sql(f"r.run IN ({listed})", (json.dumps(runs_with(self._url, words)),))

    @contextmanager
    def _asking(self, *names: str, even_stopped: bool = False) -> Iterator[Snapshot]:
        """A snapshot, caught up. Raises ProjectionStopped, unless one that stopped will do."""
        with self._state.kept():
            self.catch_up(*names)
            with self._state.reading() as tables:
                entries = {entry.name: entry for entry in Registry(tables, self._state.schema).entries() if entry.live}
                stopped = [name for name in names if entries[name].stopped_at is not None]
                if stopped and not even_stopped:
                    raise ProjectionStopped(stopped_text(entries[stopped[0]]))
                known = {name: entry.names(self._state.schema) for name, entry in entries.items()}
                yield Snapshot(tables, known, frozenset(stopped))

    def _catch_up(self, log: LogSource, *, processes: int) -> CatchUp:
        upto = None if self._until is None else log.position_at(self._until)
        url = None if isinstance(log, MemoryLog) else self._url
        step = 2 * STEP if processes else STEP  # fewer, larger transactions where nobody waits for each
        return CatchUp(log, self._state, url, processes, step, upto)

    def _behind(self, log: LogSource, names: Sequence[str]) -> int:
        head = log.head() if self._until is None else log.position_at(self._until)
        with self._state.reading() as tables:
            entries = [one for one in Registry(tables, self._state.schema).entries() if one.live]
        known = {one.name: head if one.stopped_at else one.checkpoint for one in entries}
        return head - min((known.get(name, 0) for name in names), default=0)
