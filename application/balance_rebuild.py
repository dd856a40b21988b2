"""The balances as the log's events make them: what the inline table must hold."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ..domain.events import BudgetDefined, Money, RunStarted
from ..domain.periods import period_key
from ..domain.units import Timestamp, picodollars
from .ports import EventStore, RecordedEvent, RunLog
from .runs import PAGE
from .world import money_of

Account = tuple[str, str, Money, str]  # scope, period, money, period key
_HOLDS = ("holds", "hold")  # of RoutingDecided and AttemptStarted
_SETTLES = ("settles", "released")


class RebuiltBalances:
    """A fold over the whole log; `funds` are (held, settled) in picodollars."""

    def __init__(self) -> None:
        self.funds: defaultdict[Account, tuple[int, int]] = defaultdict(lambda: (0, 0))
        self._money: dict[str, Money] = {}  # by run
        self._held_at: dict[tuple[str, int], Timestamp] = {}  # by run and version of what held

    def add(self, entry: RecordedEvent, event: Any) -> None:
        """Fold one event."""
        if isinstance(event, RunStarted):
            self._money.setdefault(entry.stream, money_of(event.provider))
        elif isinstance(event, BudgetDefined):
            for one in event.opening:
                self._change((event.scope, event.period, one.money, one.period_key), 0, picodollars(one.spent))
        for hold in (hold for name in _HOLDS for hold in getattr(event, name, ())):
            self._held_at[entry.stream, entry.version] = entry.recorded_at
            self._change(self._account(entry, hold, entry.recorded_at), picodollars(hold.amount), 0)
        for one in (one for name in _SETTLES for one in getattr(event, name, ())):
            account = self._account(entry, one, self._held_at[entry.stream, one.held_by])
            self._change(account, -picodollars(one.held), picodollars(one.spent))

    def _account(self, entry: RecordedEvent, change: Any, at: Timestamp) -> Account:
        return change.scope, change.period, self._money[entry.stream], period_key(change.period, at)

    def _change(self, account: Account, held: int, settled: int) -> None:
        before = self.funds[account]
        self.funds[account] = before[0] + held, before[1] + settled


async def verify_balances(store: EventStore, log: RunLog) -> list[str]:
    """Where the balances differ from the log, a line each; empty where they agree. Nothing may be written meanwhile."""
    rebuilt, after = RebuiltBalances(), 0
    while page := await store.read_all(after=after, limit=PAGE):
        for entry in page:
            rebuilt.add(entry, log.decode(entry))
        after = page[-1].position
    stored = {
        (row.scope, row.period, row.money, row.period_key): (row.held, row.settled) for row in await store.balances()
    }
    return [
        f"balance {', '.join(account)}: {stored.get(account, (0, 0))} held and settled, the log says {funds}"
        for account in sorted(stored.keys() | rebuilt.funds.keys())
        if (funds := rebuilt.funds[account]) != stored.get(account, (0, 0))
    ]
