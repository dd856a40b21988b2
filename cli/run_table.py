"""A list of runs as text, JSON and CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal

from ..application.run_documents import charged_money, run_dict
from ..domain.units import usd
from ..infrastructure.exports import Column, Kind, Row
from ..projections.run_report import RunRow
from .cost_export import write_rows
from .output import print_json, print_table

SHOWN = ("run_id", "started_at", "status", "strategy", "category", "model", "cost", "money")
COLUMNS = [
    Column("run_id"),
    Column("started_at", Kind.TIME),
    Column("ended_at", Kind.TIME),
    Column("status"),
    Column("strategy"),
    Column("category"),
    Column("owner"),
    Column("tags", Kind.TAGS),
    Column("model"),
    Column("cost", Kind.MONEY),
    Column("known_cost", Kind.MONEY),
    Column("money"),
    Column("attempts", Kind.INTEGER),
    Column("confidence", Kind.SHARE),
    Column("error"),
]


def print_runs(runs: Iterable[RunRow], *, as_json: bool = False, as_csv: bool = False) -> None:
    """All of them; a table of none is nothing."""
    if as_csv:
        write_rows("csv", COLUMNS, map(_row, runs))
    elif as_json:
        print_json([run_dict(run) for run in runs])
    elif listed := [run_dict(run) for run in runs]:
        print_table(SHOWN, ([row[column] or "" for column in SHOWN] for row in listed))


def _row(run: RunRow) -> Row:
    return (
        run.run,
        run.started_at,
        run.ended_at,
        run.status,
        run.strategy,
        run.category,
        run.owner,
        json.loads(run.tags),
        run.model,
        None if run.cost is None else usd(run.cost),
        usd(run.known_cost),
        charged_money(run),
        run.attempts,
        None if run.confidence is None else Decimal(run.confidence).scaleb(-6),
        run.error,
    )
