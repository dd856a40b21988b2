"""A cost report as text: each kind of money under its own heading and total, never mixed."""

from __future__ import annotations

from collections.abc import Sequence

from ..application.amounts import change, dollars, percent, share_bar
from ..application.cost_reports import HEADINGS, NO_LABEL, CostLine, CostQuestion, CostSection
from ..domain.time_ranges import local_time
from ..domain.units import Timestamp
from .tables import Column, can_show, table


def cost_report_text(question: CostQuestion, sections: Sequence[CostSection]) -> str:
    """A table a kind of money that has lines, real money first; what has none is left out, unless all have none."""
    if not sections:
        return f"{_heading(question)}: nothing was spent in this time"
    tables = (f"{HEADINGS[one.money]}\n{_section(question.dimensions, one)}" for one in sections)
    return "\n\n".join((_heading(question), *tables))


def _heading(question: CostQuestion) -> str:
    """The time that the report is of, and the one it is compared with."""
    zone = getattr(question.zone, "key", str(question.zone))
    if (before := question.before) is None:
        ends = "" if question.dates.end is None else f" until {_clock(question.dates.end, question)}"
        return f"All costs{ends} ({zone})"
    start, end = question.dates.start, question.dates.end
    assert start is not None
    until = "now" if end is None else _clock(end, question)
    compared = f"{_clock(before.start, question)} to {_clock(before.end, question)}"
    change = f"change against {compared}" if question.split is None else f"total's change against {compared}"
    return f"Costs from {_clock(start, question)} to {until} ({zone}); {change}"


def _clock(at: Timestamp | None, question: CostQuestion) -> str:
    assert at is not None
    shown = local_time(at, question.zone)
    midnight = (shown.hour, shown.minute, shown.second) == (0, 0, 0)
    return f"{shown:%Y-%m-%d}" if midnight else f"{shown:%Y-%m-%d %H:%M}"


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
            *(NO_LABEL if label is None else label for label in line.labels),
            f"{line.calls:,}",
            dollars(line.cost),
            *([f"{line.unknown:,}" if line.unknown else ""] if shows_unknown else []),
            percent(line.cost, total),
            bar,
            *([change(line.cost, line.before)] if compared else []),
        ]

    sums = CostLine(
        labels=("total", *[""] * (len(dimensions) - 1)) if dimensions else (),
        cost=total,
        calls=sum(line.calls for line in section.lines),
        unknown=sum(line.unknown for line in section.lines),
        before=section.before,
    )
    rows = [cells(line, share_bar(line.cost, largest, ascii=ascii)) for line in section.lines]
    return table(columns, rows, [cells(sums, "")])
