"""A list of runs as text, JSON and CSV."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ..domain.units import MILLION, plain, usd
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


def run_dict(run: RunRow) -> dict[str, Any]:
    """For JSON: USD as plain digits; `cost` is null where a part of it is unknown, `known_cost` is what is known."""
    return {
        "run_id": run.run,
        "status": run.status,
        "strategy": run.strategy,
        "category": run.category,
        "owner": run.owner,
        "cost": None if run.cost is None else plain(usd(run.cost)),
        "known_cost": plain(usd(run.known_cost)),
        "money": _money(run),
        "model": run.model,
        "started_at": datetime.fromtimestamp(run.started_at / MILLION, UTC).isoformat(timespec="seconds"),
    }


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
        _money(run),
        run.attempts,
        None if run.confidence is None else Decimal(run.confidence).scaleb(-6),
        run.error,
    )


def _money(run: RunRow) -> str | None:
    """The kinds its calls showed, else its own; None where nobody was asked."""
    if run.charged is not None:
        return run.charged.replace(",", ", ")
    return run.money if run.attempts or run.cached_model is not None else None
