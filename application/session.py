"""A run's single appender: folds what happens, and makes it durable in as few commits as there are effects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, TypeVar

from ..domain.budget import settled
from ..domain.errors import ErrorKind
from ..domain.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    CostIncurred,
    ModelCalled,
    Money,
    RoutingDecided,
    RunCompleted,
    RunEvent,
    Settlement,
)
from ..domain.run import Run, evolve, fold
from ..domain.units import Timestamp, picodollars
from .ports import (
    Append,
    Appended,
    BalanceChange,
    BalanceHold,
    BalanceSettle,
    CacheEntry,
    Content,
    HoldRefused,
    KeyTaken,
    LoggedEvent,
    RunLog,
    VersionConflict,
)

T = TypeVar("T")
Observer = Callable[[str, RunEvent, Timestamp], None]  # a run's id, an event once it is durable, and since when
FACTS = (ModelCalled, AttemptFailed, AttemptLost, CostIncurred)  # outcomes: true whatever else was appended meanwhile


class KeyIsTaken(Exception):
    """The idempotency key of a run that was to start belongs to another run already."""

    def __init__(self, taken: KeyTaken) -> None:
        super().__init__(taken.run)
        self.taken = taken


class RunSession:
    """The run as it stands in this process: `run` is folded, what is pending of it is not in the log yet."""

    def __init__(
        self,
        log: RunLog,
        run_id: str,
        *,
        observe: Observer,
        money: Money,
        beside: Append | None = None,
        cache_entry: Callable[[Run], CacheEntry | None] = lambda run: None,
    ) -> None:
        """`beside` becomes durable with the first append, `cache_entry` with the run's completion."""
        self._log = log
        self._observe = observe
        self._money = money
        self._beside = beside
        self._cache_entry = cache_entry
        self._durable = Run(run_id)
        self.run = self._durable
        self._recorded_at: dict[int, Timestamp] = {}  # of each durable version that holds money
        self._pending: list[RunEvent] = []
        self._contents: list[Content] = []
        self._cause: str | None = None  # id of the last event appended here
        self._appending = asyncio.Lock()
        self.conflicts = 0  # appends that another process was ahead of

    def record(self, event: RunEvent, contents: Sequence[Content] = ()) -> None:
        """Fold a fact in memory, with what it does to the run's holds; `flush` makes it durable."""
        event = settled(self.run, event)
        self.run = evolve(self.run, event)
        self._pending.append(event)
        self._contents.extend(contents)

    def record_all(self, outcome: tuple[Sequence[RunEvent], Sequence[Content]]) -> None:
        """Fold several facts, with their texts."""
        events, contents = outcome
        for event in events:
            self.record(event)
        self._contents.extend(contents)

    def forget_decisions(self) -> None:
        """Back to what is durable, and to what happened since: what was only decided can be decided again."""
        facts, self._pending, self.run = self._facts(), [], self._durable
        for fact in facts:
            self.record(fact)

    def forget_calls(self) -> None:
        """Back to before the first decision that held money; outcomes stay, and no call leaves that was to leave."""
        pending, self._pending, self.run = self._pending, [], self._durable
        refused = False
        for event in pending:
            refused = refused or _holds_money(event)
            if isinstance(event, FACTS) or not (refused or isinstance(event, AttemptStarted)):
                self.record(event)

    @property
    def is_durable(self) -> bool:
        """Whether the log holds the run."""
        return self._durable.version > 0

    def load(self, logged: Sequence[LoggedEvent]) -> None:
        """Stand where the log does."""
        self.run = self._durable = fold(self.run.id, [entry.event for entry in logged])
        self._recorded_at = {entry.envelope.version: entry.envelope.recorded_at for entry in logged}

    async def flush(self) -> HoldRefused | None:
        """Append what is pending, in one commit, even while the task is being cancelled.

        Where a budget refuses, everything decided from the hold on is forgotten again, and the refusal returned.
        Raises KeyIsTaken where the run's idempotency key belongs to another: nothing was written.
        """
        return await uninterrupted(self._flush()) if self._pending else None

    async def _flush(self) -> HoldRefused | None:
        async with self._appending:
            while self._pending:
                batch, contents = self._next_batch(), self._contents
                self._contents = []
                try:
                    result, last_event = await self._log.append(
                        self.run.id,
                        expected=self._durable.version,
                        events=batch,
                        contents=contents,
                        balances=self._balances(batch),
                        cause=self._cause,
                        beside=self._beside_of(batch),
                    )
                except BaseException:  # not written: it is still to be
                    self._contents = contents + self._contents
                    raise
                match result:
                    case Appended():
                        self._became_durable(batch, result.recorded_at, last_event)
                    case VersionConflict():
                        self._contents = contents + self._contents
                        await self._reload()
                    case KeyTaken():
                        raise KeyIsTaken(result)
                    case HoldRefused():
                        self._contents = contents + self._contents
                        self.forget_calls()
                        return result
            return None

    def _next_batch(self) -> list[RunEvent]:
        """What is pending, up to where a settlement needs the moment of a hold that is not recorded yet."""
        version = self._durable.version
        for number, event in enumerate(self._pending):
            if number and any(one.held_by > version for one in _settlements(event)):
                return self._pending[:number]
        return list(self._pending)

    def _beside_of(self, batch: list[RunEvent]) -> Append | None:
        entry = self._cache_entry(self.run) if isinstance(batch[-1], RunCompleted) else None
        return self._beside if entry is None else replace(self._beside or Append(streams=()), cache=entry)

    def _became_durable(self, batch: list[RunEvent], recorded_at: Timestamp, last_event: str) -> None:
        self._pending = self._pending[len(batch) :]
        first = self._durable.version + 1
        self._durable = self.run if not self._pending else reduce(evolve, batch, self._durable)
        self._recorded_at.update(dict.fromkeys(range(first, first + len(batch)), recorded_at))
        self._beside, self._cause = None, last_event
        for event in batch:
            self._observe(self.run.id, event, recorded_at)

    def _balances(self, batch: list[RunEvent]) -> list[BalanceChange]:
        """The holds and settlements of the events, in picodollars."""
        changes: list[BalanceChange] = []
        for event in batch:
            for hold in event.holds if isinstance(event, RoutingDecided) else getattr(event, "hold", ()):
                amount = picodollars(hold.amount)
                changes.append(BalanceHold(scope=hold.scope, period=hold.period, money=self._money, amount=amount))
            changes.extend(self._settle(one) for one in _settlements(event))
        return changes

    def _settle(self, one: Settlement) -> BalanceSettle:
        return BalanceSettle(
            scope=one.scope,
            period=one.period,
            money=self._money,
            held_at=self._recorded_at[one.held_by],
            held=picodollars(one.held),
            spent=picodollars(one.spent),
        )

    async def _reload(self) -> None:
        """Another process appended first: what was decided here is dropped, what happened here is kept."""
        self.conflicts += 1
        facts = self._facts()
        logged = await self._log.read(self.run.id)
        self._pending = []
        self.load(logged)
        for fact in facts:
            if all(fact != entry.event for entry in logged):  # else an append of ours was written, and not acknowledged
                self.record(fact)

    def _facts(self) -> list[RunEvent]:
        return [event for event in self._pending if isinstance(event, FACTS) and not _is_presumed(event)]


def _is_presumed(event: RunEvent) -> bool:
    """Whether it only says what a taker-over found: a decision, to be taken again."""
    return isinstance(event, AttemptLost) and event.kind is ErrorKind.CRASH


def _holds_money(event: RunEvent) -> bool:
    return bool(event.holds if isinstance(event, RoutingDecided) else getattr(event, "hold", ()))


def _settlements(event: RunEvent) -> tuple[Settlement, ...]:
    found: tuple[Settlement, ...] = getattr(event, "settles", ()) + getattr(event, "released", ())
    return found


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work` before a cancellation of the caller is let through, however often it comes."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.result()
        raise cancelled
    return task.result()
