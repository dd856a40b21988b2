"""Balances and limits worked out again from the log, and held against the tables that admit runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..domain.events import (
    AttemptStarted,
    BudgetChanged,
    BudgetDefined,
    BudgetRemoved,
    Hold,
    Money,
    RoutingDecided,
    RunStarted,
    Settlement,
)
from ..domain.periods import period_key
from ..domain.units import Timestamp, picodollars, plain, usd
from .ports import Balance, EventStore, RecordedEvent, RunLog
from .runs import PAGE
from .world import money_of

TRIES = 50  # looks at tables that somebody writes meanwhile
_TYPES = (
    "RunStarted",
    "RoutingDecided",
    "AttemptStarted",
    "AttemptFailed",
    "AttemptReconciled",
    "CostIncurred",
    "RunCompleted",
    "RunFailed",
    "RunCancelled",
    "BudgetDefined",
    "BudgetChanged",
    "BudgetRemoved",
)
Account = tuple[str, str, Money, str]  # scope, period, money, period key


@dataclass(slots=True)
class RebuiltBalances:
    """What the events up to `position` come to; picodollars."""

    position: int = 0
    funds: dict[Account, tuple[int, int]] = field(default_factory=dict)  # held, settled
    limits: dict[tuple[str, str], int] = field(default_factory=dict)
    _money: dict[str, Money] = field(default_factory=dict)  # by run
    _held_at: dict[tuple[str, int], Timestamp] = field(default_factory=dict)  # by run and version

    def add(self, entry: RecordedEvent, event: Any) -> None:
        """Fold the next event."""
        match event:
            case RunStarted():
                self._money[entry.stream] = money_of(event.provider)
            case BudgetDefined() | BudgetChanged():
                self.limits[event.scope, event.period] = picodollars(event.limit)
            case BudgetRemoved():
                self.limits.pop((event.scope, event.period), None)
            case RoutingDecided():
                self._hold(entry, event.holds)
            case AttemptStarted():
                self._hold(entry, event.hold)
        for opening in getattr(event, "opening", ()):  # what its scope had spent before
            account = (event.scope, event.period, opening.money, opening.period_key)
            self._add(account, 0, picodollars(opening.spent))
        for one in (*getattr(event, "settles", ()), *getattr(event, "released", ())):
            self._settle(entry, one)

    def _hold(self, entry: RecordedEvent, holds: Sequence[Hold]) -> None:
        for one in holds:
            self._held_at[entry.stream, entry.version] = entry.recorded_at
            self._change(entry.stream, one.scope, one.period, entry.recorded_at, picodollars(one.amount), 0)

    def _settle(self, entry: RecordedEvent, one: Settlement) -> None:
        at = self._held_at.get((entry.stream, one.held_by), entry.recorded_at)
        self._change(entry.stream, one.scope, one.period, at, -picodollars(one.held), picodollars(one.spent))

    def _change(self, run: str, scope: str, period: str, at: Timestamp, held: int, settled: int) -> None:
        self._add((scope, period, self._money.get(run, Money.REAL), period_key(period, at)), held, settled)

    def _add(self, account: Account, held: int, settled: int) -> None:
        before = self.funds.get(account, (0, 0))
        self.funds[account] = (before[0] + held, before[1] + settled)


async def balance_problems(store: EventStore, log: RunLog) -> list[str]:
    """Where a balance or a limit is not what the events come to; empty where all are.

    A log that is written to without a pause may not be caught at rest; that is said as a problem too.
    """
    rebuilt = RebuiltBalances()
    for _ in range(TRIES):
        await _catch_up(rebuilt, store, log)
        balances, limits = await store.balances(), await store.budgets()
        if await store.head() == rebuilt.position:
            return _differences(rebuilt, balances, limits)
    return ["balances were not compared: the log is being written to; try again when it is quiet, or --quick"]


async def _catch_up(rebuilt: RebuiltBalances, store: EventStore, log: RunLog) -> None:
    head = await store.head()
    while rebuilt.position < head:
        page = await store.read_all(after=rebuilt.position, limit=PAGE, types=_TYPES)
        for entry in page:
            rebuilt.add(entry, log.decode(entry))
        rebuilt.position = page[-1].position if len(page) == PAGE else max(head, page[-1].position if page else 0)


def _differences(
    rebuilt: RebuiltBalances, balances: Sequence[Balance], limits: Sequence[tuple[str, str, int]]
) -> list[str]:
    stored = {(one.scope, one.period, one.money, one.period_key): (one.held, one.settled) for one in balances}
    problems = []
    for account in sorted({*stored, *rebuilt.funds}):
        is_, due = stored.get(account, (0, 0)), rebuilt.funds.get(account, (0, 0))
        if is_ != due:
            scope, _, money, key = account
            problems.append(
                f"balance {scope} {key} ({money}): held ${_text(is_[0])}, spent ${_text(is_[1])}; "
                f"the events come to held ${_text(due[0])}, spent ${_text(due[1])}"
            )
    set_ = {(scope, period): limit for scope, period, limit in limits}
    for budget in sorted({*set_, *rebuilt.limits}):
        if set_.get(budget) != rebuilt.limits.get(budget):
            was, should = (_limit(one.get(budget)) for one in (set_, rebuilt.limits))
            problems.append(f"budget {budget[0]} ({budget[1]}): the limit is {was}; the events come to {should}")
    return problems


def _limit(amount: int | None) -> str:
    return "none" if amount is None else f"${_text(amount)}"


def _text(amount: int) -> str:
    return plain(usd(amount))
