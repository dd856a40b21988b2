"""What happened in each day, week or month: calls, tokens, cost, how sure and how fast the answers were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from ..domain.events import Money
from ..domain.units import MILLION, plain, usd
from ..projections.cost_report import CostRow
from .cost_reports import CostQuestion, periods_of, span_of
from .read_models import ReadModels

_MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What calls came to."""

    calls: int
    unknown: int  # calls whose cost is not known
    input_tokens: int  # cached ones included
    output_tokens: int  # reasoning included
    cost: Decimal  # known USD
    confidence: Decimal | None  # mean of the answers that were scored, 0 to 1
    latency: Decimal | None  # mean, in seconds

    def to_dict(self) -> dict[str, Any]:
        """For JSON: money and means as plain digits, null where there is none."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: plain(value) if isinstance(value, Decimal) else value for name, value in found.items()}


@dataclass(frozen=True, slots=True)
class StatsSection:
    """One kind of money: its periods in order, and all of them together."""

    money: Money
    periods: tuple[tuple[str, Activity], ...]
    total: Activity


def cost_stats(models: ReadModels, question: CostQuestion, split: str) -> list[StatsSection]:
    """A section a kind of money with calls in the time, real first; periods without a call are left out."""
    listed = periods_of(models, question, split)
    since, until = span_of(question.dates)
    ranges = [(max(since, one.start), min(until, one.end)) for one in listed]
    rows = models.costs(ranges=ranges, conditions=question.conditions) if ranges else []
    sections = []
    for money in Money:
        mine = [row for row in rows if row.money == money]
        if mine:
            of_periods = tuple((listed[row.period].key, _activity([row])) for row in mine)
            sections.append(StatsSection(money, of_periods, _activity(mine)))
    return sections


def _activity(rows: Sequence[CostRow]) -> Activity:
    def total(*names: str) -> int:
        return sum(getattr(row, name) for row in rows for name in names)

    return Activity(
        calls=total("calls"),
        unknown=total("unpriced"),
        input_tokens=total("input_uncached", "cache_read", "cache_write"),
        output_tokens=total("output", "reasoning"),
        cost=usd(total("cost")),
        confidence=_mean(total("confidence"), total("scored")),
        latency=_mean(total("latency"), total("timed")),
    )


def _mean(millionths: int, count: int) -> Decimal | None:
    return (Decimal(millionths) / count / MILLION).quantize(_MICRO) if count else None
