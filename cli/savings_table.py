"""Savings as text, JSON and CSV rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..application.amounts import dollars, percent
from ..application.cost_reports import HEADINGS
from ..application.savings import Savings
from ..domain.events import Money
from ..domain.units import plain
from ..infrastructure import exports
from .tables import Column, table


def savings_text(found: Sequence[Savings]) -> str:
    """A table a kind of money, with what is estimated and left out."""
    if not found:
        return "no run was answered in this time"
    return "\n\n".join(f"{HEADINGS[one.money]}\n{_section(one)}" for one in found)


def savings_dict(found: Sequence[Savings]) -> dict[str, Any]:
    """{"real": {"total", "runs", ..., "rows"}, ...}; null for a kind of money without an answered run."""
    known = {one.money: one for one in found}
    return {money.value: _dict(known[money]) if money in known else None for money in Money}


def savings_columns() -> list[exports.Column]:
    """Of `savings_rows`."""
    money, whole = exports.Kind.MONEY, exports.Kind.INTEGER
    figures = {"runs": whole, "cost": money, "would_cost": money, "saved": money, "estimated_runs": whole}
    texts = [exports.Column("money"), exports.Column("model")]
    return [*texts, *(exports.Column(name, kind) for name, kind in figures.items())]


def savings_rows(found: Sequence[Savings]) -> Iterator[exports.Row]:
    """Rows of one CSV: a model for everything, what it would have cost and what was saved."""
    for one in found:
        for other in one.alternatives:
            saved = other.cost - one.cost
            yield one.money.value, other.model, one.runs, one.cost, other.cost, saved, other.estimated


def _dict(one: Savings) -> dict[str, Any]:
    return {
        "total": plain(one.cost),
        "runs": one.runs,
        "agreed": one.agreed,
        "left_out": one.left_out,
        "assumed": one.assumed,
        "cache": {"runs": one.cached, "saved": plain(one.cache_saved)},
        "rows": [
            {
                "model": other.model,
                "strongest": other.is_strongest,
                "would_cost": plain(other.cost),
                "saved": plain(other.cost - one.cost),
                "estimated": other.estimated > 0,
                "estimated_runs": other.estimated,
            }
            for other in one.alternatives
        ],
    }


def _section(one: Savings) -> str:
    names = ("would cost", "saved", "share", "estimated")
    columns = [Column("always"), *(Column(name, is_figure=True) for name in names)]
    rows = [
        [
            f"{other.model} (strongest)" if other.is_strongest else other.model,
            dollars(other.cost),
            dollars(other.cost - one.cost),
            percent(other.cost - one.cost, other.cost),
            percent(other.estimated, one.runs) if other.estimated else "exact",
        ]
        for other in one.alternatives
    ]
    lines = [f"{one.runs:,} answered runs cost {dollars(one.cost)}"]
    lines.append(
        table(columns, rows) if rows or not one.runs else "no model has a price in every catalogue that was used"
    )
    if any(other.estimated for other in one.alternatives):
        lines.append("estimated: the share of runs that another model answered, whose tokens are taken as they were")
    if one.agreed:
        lines.append(f"ended as soon as two answers agreed, asking nobody else: {one.agreed:,}")
    if one.left_out:
        lines.append(f"left out for their unknown cost or usage: {one.left_out:,}")
    if one.assumed:
        lines.append(f"priced by the catalogue in force, as theirs is not in the database: {one.assumed:,}")
    if one.cached:
        lines.append(f"given an earlier answer from the cache: {one.cached:,}, which saved {dollars(one.cache_saved)}")
    return "\n".join(lines)
