"""What a scope spent before it had a budget: folded from the log's own figures, so that a new budget starts with it.

A run that holds money on a budget settles there, and is counted by it. All other spending in the scope is counted here,
in the period of its recording. The fold goes on from where it stopped, so following a log that grows is cheap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..domain.budget import concerns, is_in_scope
from ..domain.events import (
    AttemptReconciled,
    AttemptStarted,
    BudgetDefined,
    CostIncurred,
    Money,
    Opening,
    RunStarted,
)
from ..domain.periods import period_key
from ..domain.units import Timestamp, picodollars, usd
from .ports import EventStore, RecordedEvent, RunLog
from .runs import PAGE, RUN_PREFIX
from .world import money_of

_TYPES = (RunStarted, AttemptStarted, CostIncurred, AttemptReconciled)
_Attempt = tuple[str, int]  # run and number


class Unheld:
    """Spending in a scope that its budget has not counted itself, up to `position` of the log.

    Keeps a word for each run of the scope, and for each attempt: it reads the whole log once.
    """

    def __init__(self, scope: str, period: str) -> None:
        self.position = 0
        self._recorded_at = Timestamp(0)  # of the last event read
        self._scope = scope
        self._period = period
        self._runs: dict[str, Money] = {}
        self._models: dict[_Attempt, str] = {}
        self._spent: dict[_Attempt, tuple[int, bool]] = {}  # picodollars, and whether that is final
        self._sums: Counter[tuple[str, Money]] = Counter()  # by period key

    async def read_on(self, store: EventStore, log: RunLog) -> None:
        """Fold what the log says by now."""
        head, types = await store.head(), [one.__name__ for one in _TYPES]
        after = self.position
        while page := await store.read_all(after=after, limit=PAGE, types=types, stream_prefix=RUN_PREFIX):
            for entry in page:
                self._add(entry, log.decode(entry))
            after = page[-1].position
        self.position = max(head, after)

    def moment(self, now: Timestamp) -> Timestamp:
        """A moment of the current period: the database's clock may be ahead of ours."""
        return max(now, self._recorded_at)

    def opening(self, at: Timestamp, history: Sequence[Any]) -> tuple[Opening, ...]:
        """What a budget set at `at` has to start with; `history` are its stream's events, with earlier openings."""
        key = period_key(self._period, at)
        known: Counter[Money] = Counter()
        for event in history:
            if isinstance(event, BudgetDefined):
                for one in event.opening:
                    known[one.money] += picodollars(one.spent) if one.period_key == key else 0
        missing = {money: self._sums[key, money] - known[money] for money in Money}
        return tuple(Opening(money=one, period_key=key, spent=usd(picos)) for one, picos in missing.items() if picos)

    def _add(self, entry: RecordedEvent, event: Any) -> None:
        self._recorded_at = entry.recorded_at
        run = entry.stream
        match event:
            case RunStarted() if is_in_scope(self._scope, event.category, event.tags, event.owner):
                self._runs.setdefault(run, money_of(event.provider))
            case AttemptStarted() if run in self._runs:
                self._models.setdefault((run, event.attempt), event.model)
            case CostIncurred() | AttemptReconciled() if (run, event.attempt) in self._models:
                self._spend(run, event, entry.recorded_at)

    def _spend(self, run: str, event: CostIncurred | AttemptReconciled, at: Timestamp) -> None:
        """Count what the event adds to its attempt; of two costs the first stands, as in a run."""
        attempt = (run, event.attempt)
        before, is_final = self._spent.get(attempt, (0, False))
        if is_final or not concerns(self._scope, self._models[attempt]):
            return
        amount = 0 if event.amount is None else picodollars(event.amount)
        self._spent[attempt] = amount, isinstance(event, CostIncurred)
        if not any((one.scope, one.period) == (self._scope, self._period) for one in event.settles):
            self._sums[period_key(self._period, at), self._runs[run]] += amount - before
