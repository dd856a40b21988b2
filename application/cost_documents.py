"""A cost report as a JSON document and as rows of one CSV: each kind of money under its own total, never mixed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from ..domain.units import plain
from .cost_reports import CostLine, CostSection, section_of

Cell = str | int | Decimal | None


def cost_report_dict(dimensions: Sequence[str], sections: Sequence[CostSection]) -> dict[str, Any]:
    """{"real": {"total", "before", "rows"}, "simulated": ..., "recorded": ...}; money as plain digits."""
    return {
        money.value: {
            "total": plain(part.total),
            "before": _digits(part.before),
            "rows": [_line_dict(dimensions, line) for line in part.lines],
        }
        for money, part in section_of(sections).items()
    }


def cost_report_cells(dimensions: Sequence[str]) -> list[tuple[str, str]]:
    """Names and kinds of the cells of `cost_report_rows`: see infrastructure/exports.py."""
    texts = [(name, "text") for name in ("money", *dimensions)]
    return [*texts, ("cost", "money"), ("calls", "integer"), ("unknown", "integer"), ("before", "money")]


def cost_report_rows(sections: Sequence[CostSection]) -> Iterator[tuple[Cell, ...]]:
    """Money, the labels, cost, calls, calls of unknown cost, and what was before."""
    for section in sections:
        for line in section.lines:
            yield (section.money.value, *line.labels, line.cost, line.calls, line.unknown, line.before)


def _line_dict(dimensions: Sequence[str], line: CostLine) -> dict[str, Any]:
    return {
        **dict(zip(dimensions, line.labels, strict=True)),
        "cost": plain(line.cost),
        "calls": line.calls,
        "unknown": line.unknown,
        "before": _digits(line.before),
    }


def _digits(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
