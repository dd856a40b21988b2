"""Statistics by period as text, JSON and CSV rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..application.amounts import dollars
from ..application.cost_reports import HEADINGS
from ..application.cost_stats import Activity, StatsSection
from ..domain.events import Money
from ..infrastructure import exports
from .tables import Column, table


def stats_text(sections: Sequence[StatsSection]) -> str:
    """A table a kind of money, real money first."""
    if not sections:
        return "nothing was called in this time"
    return "\n\n".join(f"{HEADINGS[one.money]}\n{_table(one)}" for one in sections)


def stats_dict(sections: Sequence[StatsSection]) -> dict[str, Any]:
    """{"real": {"total", "rows"}, "simulated": ..., "recorded": ...}; a total of null: no call."""
    found = {one.money: one for one in sections}
    return {
        money.value: {
            "total": found[money].total.to_dict() if money in found else None,
            "rows": [{"period": key} | one.to_dict() for key, one in found[money].periods] if money in found else [],
        }
        for money in Money
    }


def stats_columns() -> list[exports.Column]:
    """Of `stats_rows`."""
    whole, money = exports.Kind.INTEGER, exports.Kind.MONEY
    kinds = {"calls": whole, "unknown": whole, "input_tokens": whole, "output_tokens": whole, "cost": money}
    shares = {"confidence": exports.Kind.SHARE, "latency": exports.Kind.SHARE}
    texts = [exports.Column("money"), exports.Column("period")]
    return texts + [exports.Column(name, kind) for name, kind in (kinds | shares).items()]


def stats_rows(sections: Sequence[StatsSection]) -> Iterator[exports.Row]:
    """Rows of one CSV: money, period and the figures; latency in seconds."""
    for section in sections:
        for key, one in section.periods:
            yield (
                section.money.value,
                key,
                one.calls,
                one.unknown,
                one.input_tokens,
                one.output_tokens,
                one.cost,
                one.confidence,
                one.latency,
            )


def _table(section: StatsSection) -> str:
    shows_unknown = section.total.unknown > 0
    names = ("calls", "input", "output", "cost", *(["unknown"] if shows_unknown else []), "confidence", "latency")
    columns = [Column("period"), *(Column(name, is_figure=True) for name in names)]

    def cells(key: str, one: Activity) -> list[str]:
        return [
            key,
            f"{one.calls:,}",
            f"{one.input_tokens:,}",
            f"{one.output_tokens:,}",
            dollars(one.cost),
            *([f"{one.unknown:,}" if one.unknown else ""] if shows_unknown else []),
            "" if one.confidence is None else f"{one.confidence:.3f}",
            "" if one.latency is None else f"{one.latency:.2f} s",
        ]

    return table(columns, [cells(*one) for one in section.periods], [cells("total", section.total)])
