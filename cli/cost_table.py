"""A cost report as text, JSON and CSV rows: each kind of money under its own heading and total, never mixed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..application.amounts import change, dollars, percent, share_bar
from ..domain.events import Money
from ..domain.units import plain
from .tables import Column, can_show, table

HEADINGS = {Money.REAL: "Real money", Money.SIMULATED: "Simulated: nobody paid this", Money.RECORDED: "Recorded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """What was spent under some labels, one a dimension of the report."""

    labels: tuple[str, ...]
    cost: Decimal  # known USD
    calls: int
    unknown: int = 0  # calls whose cost is not known
    before: Decimal | None = None  # in the time before; None: not compared


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSection:
    """The lines of one kind of money."""

    money: Money
    lines: tuple[CostLine, ...]
    before: Decimal | None = None  # everything in the time before, labels that are gone included

    @property
    def total(self) -> Decimal:
        """Known USD of all lines, exact."""
        return sum((line.cost for line in self.lines), Decimal(0))


def cost_report_text(dimensions: Sequence[str], sections: Sequence[CostSection]) -> str:
    """A table a kind of money that has lines, real money first; what has none is left out, unless all have none."""
    full = [one for one in sections if one.lines]
    if not full:
        return "nothing was spent in this time"
    return "\n\n".join(f"{HEADINGS[one.money]}\n{_section(dimensions, one)}" for one in full)


def cost_report_dict(dimensions: Sequence[str], sections: Sequence[CostSection]) -> dict[str, Any]:
    """{"real": {"total", "before", "rows"}, "simulated": ..., "recorded": ...}; money as plain digits."""
    found = {one.money: one for one in sections}
    parts = {money: found.get(money, CostSection(money=money, lines=())) for money in Money}
    return {
        money.value: {
            "total": plain(part.total),
            "before": _digits(part.before),
            "rows": [_line_dict(dimensions, line) for line in part.lines],
        }
        for money, part in parts.items()
    }


def cost_report_rows(sections: Sequence[CostSection]) -> Iterator[tuple[str | int | Decimal | None, ...]]:
    """Rows of one CSV: money, the labels, cost, calls, calls of unknown cost, and what was before."""
    for section in sections:
        for line in section.lines:
            yield (section.money.value, *line.labels, line.cost, line.calls, line.unknown, line.before)


def _section(dimensions: Sequence[str], section: CostSection) -> str:
    compared = any(line.before is not None for line in section.lines)
    shows_unknown = any(line.unknown for line in section.lines)
    columns = [
        *(Column(name) for name in dimensions),
        Column("calls", is_figure=True),
        Column("cost", is_figure=True),
        *([Column("unknown", is_figure=True)] if shows_unknown else []),
        Column("share", is_figure=True),
        Column(""),
        *([Column("change", is_figure=True)] if compared else []),
    ]
    total = section.total
    largest = max(line.cost for line in section.lines)
    ascii = not can_show("█▏")

    def cells(line: CostLine, bar: str) -> list[str]:
        return [
            *line.labels,
            f"{line.calls:,}",
            dollars(line.cost),
            *([f"{line.unknown:,}" if line.unknown else ""] if shows_unknown else []),
            percent(line.cost, total),
            bar,
            *([change(line.cost, line.before)] if compared else []),
        ]

    sums = CostLine(
        labels=("total", *[""] * (len(dimensions) - 1)),
        cost=total,
        calls=sum(line.calls for line in section.lines),
        unknown=sum(line.unknown for line in section.lines),
        before=section.before,
    )
    rows = [cells(line, share_bar(line.cost, largest, ascii=ascii)) for line in section.lines]
    return table(columns, rows, [cells(sums, "")])


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
