"""What a monitor shows of runs, from one snapshot: today's money and calls, what is under way, and the last runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .cost_report import CostRow, Range, costs
from .costs import RUN_COSTS
from .projection import Names, Queryable
from .runs import RUNS


@dataclass(frozen=True, slots=True)
class RunNow:
    """A run in few words. Time is microseconds, money is picodollars."""

    run: str
    status: str
    strategy: str
    category: str
    cost: int | None  # None: some of it is unknown
    money: str  # real, simulated or recorded
    started_at: int
    model: str | None  # of the last attempt, or of the cached answer
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything at one moment; runs newest first."""

    today: Sequence[CostRow]  # by kind of money and status of the call
    running: Sequence[RunNow]
    running_count: int
    last: Sequence[RunNow]


_COLUMNS = (
    "r.run, r.status, r.strategy, r.category, CASE WHEN c.run IS NULL THEN 0 ELSE c.cost END, r.money, r.run_at, "
    "coalesce(c.model, r.cached_model), r.error"
)
_UNDER_WAY = "r.status = 'running'"  # in words: there is an index of these only


def overview(tables: Queryable, attempts: Names, runs: Names, *, today: Range, most: int) -> Overview:
    """Calls of runs that started in `today`, and at most so many runs of a kind."""
    table = f"{runs(RUNS.name)} r"
    listed = f"SELECT {_COLUMNS} FROM {table} LEFT JOIN {attempts(RUN_COSTS.name)} c ON c.run = r.run"
    newest = "ORDER BY r.run_at DESC, r.run DESC LIMIT ?"
    ((count,),) = tables.execute(f"SELECT count(*) FROM {table} WHERE {_UNDER_WAY}")
    return Overview(
        today=costs(tables, attempts, by=("status",), ranges=(today,)),
        running=[RunNow(*row) for row in tables.execute(f"{listed} WHERE {_UNDER_WAY} {newest}", (most,))],
        running_count=int(count),
        last=[RunNow(*row) for row in tables.execute(f"{listed} {newest}", (most,))],
    )
