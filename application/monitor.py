"""What is going on now: money spent today against the budgets, calls, failures, and runs; a frame a change of the log.

The log is tailed, and each frame is asked of the read models and balances, so that it is as exact as any report. No
prompt and no answer is ever part of a frame.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from ..domain.breaker import BreakerState
from ..domain.errors import StoreTooNew
from ..domain.events import AttemptFailed, AttemptLost, AttemptStarted, RunEvent
from ..domain.periods import period_key
from ..domain.units import MILLION, Timestamp
from ..projections.audit_trail import trail
from ..projections.grains import END
from ..projections.overview import Overview
from ..projections.projection import DAY
from .budget_reports import Budget, list_budgets
from .ports import Balance, Clock, EventStore, RecordedEvent, RunLog
from .read_models import ReadModels

MINUTE = 60 * MILLION
SHOWN = 8  # runs under way, last runs, and latest events
A_PAGE = 1000  # events
GAP = 0.03  # seconds from one frame to the next, at least: events that come together are one frame
LOOK = 1 * MILLION  # microseconds between two looks at the breakers, which are no part of the log
_CALLS = ("AttemptStarted", "AttemptFailed", "AttemptLost")
_RUN_EVENTS = {one.__name__ for one in get_args(RunEvent)}

BreakerStates = Callable[[], Awaitable[Mapping[str, BreakerState]]]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the log in words."""

    position: int
    at: Timestamp
    stream: str
    type: str
    says: str


@dataclass(frozen=True, slots=True)
class BudgetNow:
    """A budget in its current period; `balance` None: nothing was spent or held in it."""

    budget: Budget
    balance: Balance | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """How everything stands at a moment. Days are UTC; money of runs by the day they started."""

    at: Timestamp
    position: int  # of the last event known
    runs: Overview
    calls_a_minute: int
    failures_a_minute: Mapping[str, int]  # by kind
    budgets: Sequence[BudgetNow]
    breakers: Mapping[str, BreakerState]  # models whose breaker is not closed
    latest: Sequence[Happened]  # newest first


@dataclass(slots=True)
class Activity:
    """The last minute's calls and the latest events, from the tail of the log."""

    position: int = 0
    started: deque[Timestamp] = field(default_factory=deque)
    failures: deque[tuple[Timestamp, str]] = field(default_factory=deque)
    latest: deque[Happened] = field(default_factory=lambda: deque(maxlen=SHOWN))

    def count(self, entry: RecordedEvent, event: Any) -> None:
        """A call that began, or one that came to nothing."""
        match event:
            case AttemptStarted():
                self.started.append(entry.recorded_at)
            case AttemptFailed() | AttemptLost():
                self.failures.append((entry.recorded_at, event.kind.value))

    def tell(self, entry: RecordedEvent, event: Any) -> None:
        """The event among the latest."""
        says = ""
        if event is not None and entry.type in _RUN_EVENTS:
            (told,) = trail([(entry.version, entry.recorded_at, event)])
            says = told.says
        self.latest.append(Happened(entry.position, entry.recorded_at, entry.stream, entry.type, says))
        self.position = entry.position

    def forget(self, before: Timestamp) -> None:
        """Drop calls from before a moment."""
        while self.started and self.started[0] <= before:
            self.started.popleft()
        while self.failures and self.failures[0][0] <= before:
            self.failures.popleft()


class Monitor:
    """Frames of one database. Use `now` for one, `frames` for one after the other."""

    def __init__(
        self, store: EventStore, log: RunLog, models: ReadModels, clock: Clock, breakers: BreakerStates
    ) -> None:
        self._store, self._log, self._models, self._clock = store, log, models, clock
        self._breakers = breakers
        self._states: Mapping[str, BreakerState] = {}
        self._looked_at: int | None = None
        self._activity = Activity()
        self._news = asyncio.Event()

    async def now(self) -> Frame:
        """One frame. Raises ProjectionStopped, StoreError."""
        await self._catch_up()
        return await self._frame()

    async def frames(self, interval: float, *, early: bool = False) -> AsyncGenerator[Frame, None]:
        """A frame at once, after each change of the log, and after `interval` seconds without one; without end.

        With `early`, new events are shown before what they change is asked for: in the last frame's place.
        """
        with self._models.kept():
            async with aclosing(self._frames(interval, early)) as frames:
                async for frame in frames:
                    yield frame

    async def _frames(self, interval: float, early: bool) -> AsyncGenerator[Frame, None]:
        await self._catch_up()
        following = asyncio.create_task(self._follow())
        frame: Frame | None = None
        asked: asyncio.Task[Frame] | None = None
        try:
            while not following.done():
                is_new, is_newer = self._news.is_set(), False
                self._news.clear()
                asked = asyncio.create_task(self._frame())
                while early and frame is not None and (is_new or await self._is_first(asked)):
                    self._news.clear()
                    is_new, is_newer = False, not is_new or is_newer
                    yield self._early(frame)
                frame = await asked
                yield frame
                await asyncio.sleep(GAP)
                if not is_newer:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), interval)
            following.result()  # the tail ends by an error only
        finally:
            for task in (following, asked):
                if task is not None:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    async def _is_first(self, asked: asyncio.Task[Frame]) -> bool:
        """Whether news come before what was asked for."""
        news = asyncio.create_task(self._news.wait())
        await asyncio.wait((asked, news), return_when=asyncio.FIRST_COMPLETED)
        news.cancel()
        return self._news.is_set() and not asked.done()

    def _early(self, frame: Frame) -> Frame:
        """The frame with the events since then."""
        return replace(frame, at=self._clock.now(), **self._minute())

    async def _follow(self) -> None:
        try:
            async for entry in self._store.tail(after=self._activity.position):
                event = self._known(entry)
                self._activity.count(entry, event)
                self._activity.tell(entry, event)
                self._news.set()
        finally:
            self._news.set()

    def _known(self, entry: RecordedEvent) -> Any | None:
        """The event; None for one of a newer release, which is shown by its type alone."""
        try:
            return self._log.decode(entry)
        except StoreTooNew:
            return None

    async def _catch_up(self) -> None:
        """What the last minute and the latest events were before the tail begins."""
        activity = self._activity = Activity(position=await self._store.head())
        before, since = activity.position + 1, self._clock.now() - MINUTE
        for entry in reversed(await self._store.read_backwards(before=before, limit=SHOWN)):
            activity.tell(entry, self._known(entry))
        calls: list[RecordedEvent] = []
        while page := await self._store.read_backwards(before=before, limit=A_PAGE, types=_CALLS):
            calls += [entry for entry in page if entry.recorded_at > since]
            before = page[-1].position
            if page[-1].recorded_at <= since or len(page) < A_PAGE:
                break
        for entry in reversed(calls):
            activity.count(entry, self._known(entry))

    async def _frame(self) -> Frame:
        now = self._clock.now()
        minute = self._minute()  # before the rest, which then knows at least as much
        today = (now - now % DAY, END)
        runs = await asyncio.to_thread(lambda: self._models.overview(today, most=SHOWN))
        return Frame(
            at=now,
            runs=runs,
            budgets=await self._budgets(now),
            breakers=await self._breaker_states(),
            **minute,
        )

    def _minute(self) -> dict[str, Any]:
        """What the tail tells, of a frame."""
        activity = self._activity
        activity.forget(Timestamp(self._clock.now() - MINUTE))
        return {
            "position": activity.position,
            "calls_a_minute": len(activity.started),
            "failures_a_minute": Counter(kind for _, kind in activity.failures),
            "latest": tuple(reversed(activity.latest)),
        }

    async def _breaker_states(self) -> Mapping[str, BreakerState]:
        at = self._clock.monotonic()
        if self._looked_at is None or at - self._looked_at >= LOOK:
            self._states, self._looked_at = await self._breakers(), at
        return self._states

    async def _budgets(self, now: Timestamp) -> list[BudgetNow]:
        """Every budget with each kind of money in its current period."""
        found: list[BudgetNow] = []
        for budget in await list_budgets(self._store):
            key = period_key(budget.period, now)
            balances = [BudgetNow(budget, one) for one in budget.balances if one.period_key == key]
            found += balances or [BudgetNow(budget, None)]
        return found
