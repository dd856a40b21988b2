"""Cost reports: what was spent in a time, by period and by whatever is asked, against the time before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from decimal import Decimal
from difflib import get_close_matches
from pathlib import PurePath

from ..domain.errors import InvalidRequest
from ..domain.events import Money
from ..domain.filters import Condition
from ..domain.time_ranges import SPLITS, Period, TimeRange, period_at, periods, range_before
from ..domain.units import MILLION, Timestamp, usd
from ..projections.cost_report import CostRow
from ..projections.grains import BEGINNING, END
from .charts import Chart, series_of
from .read_models import ReadModels

DIMENSIONS = ("model", "category", "strategy", "provider", "status", "purpose", "owner")
NO_LABEL = "(none)"
HEADINGS = {Money.REAL: "Real money", Money.SIMULATED: "Simulated: nobody paid this", Money.RECORDED: "Recorded"}
_DAY = 86_400 * MILLION
Labels = tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """What was spent under some labels, one a dimension of the report; None: the run has no such tag."""

    labels: Labels
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CostQuestion:
    """What a report is about."""

    now: Timestamp
    zone: tzinfo
    dates: TimeRange = TimeRange()
    by: tuple[str, ...] = ()
    split: str | None = None  # daily, weekly or monthly
    conditions: tuple[Condition, ...] = ()

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The names of the labels."""
        return self.by if self.split is None else ("period", *self.by)

    @property
    def before(self) -> TimeRange | None:
        """What the whole is compared with; None where it has no beginning."""
        if self.dates.start is None:
            return None
        end = self.now if self.dates.end is None else self.dates.end
        return range_before(self.dates.start, max(end, Timestamp(self.dates.start + 1)), self.zone)


def grouping_of(text: str) -> tuple[str, ...]:
    """`model,tag:team` as names. Raises InvalidRequest."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name in DIMENSIONS or (name.startswith("tag:") and len(name) > 4):
            continue
        near = get_close_matches(name, DIMENSIONS, 1)
        hint = f"; did you mean {near[0]}?" if near else f": expected {', '.join(DIMENSIONS)} or tag:KEY"
        raise InvalidRequest(f"by {name!r} is not possible{hint}")
    if len(set(names)) < len(names):
        raise InvalidRequest(f"by {text!r} names something twice")
    return names


def split_of(text: str | None) -> str | None:
    """A period's name. Raises InvalidRequest."""
    if text is not None and text not in SPLITS:
        near = get_close_matches(text, SPLITS, 1, 0.3)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidRequest(f"period {text!r} is not possible: expected {', '.join(SPLITS)}{hint}")
    return text


def span_of(dates: TimeRange) -> tuple[int, int]:
    """The range as read models want it."""
    return (
        BEGINNING if dates.start is None else dates.start,
        END if dates.end is None else dates.end,
    )


def periods_of(models: ReadModels, question: CostQuestion, split: str) -> list[Period]:
    """The periods that hold a part of the time asked for; where it is open, of the time in which there are runs."""
    span = span_of(question.dates)
    began = models.time_of_runs(span)
    if began is None:
        return []
    first, last = began
    start = first if question.dates.start is None else question.dates.start
    end = max(question.now, last + 1) if question.dates.end is None else question.dates.end
    return list(periods(Timestamp(start), Timestamp(end), split, question.zone))


def cost_report(models: ReadModels, question: CostQuestion) -> list[CostSection]:
    """A section a kind of money that was spent in the time, real first."""
    if question.split is not None:
        return _split_report(models, question, question.split)
    before = question.before
    ranges = [span_of(question.dates)] + ([] if before is None else [span_of(before)])
    rows = models.costs(by=question.by, ranges=ranges, conditions=question.conditions)
    earlier = {(row.money, row.group): usd(row.cost) for row in rows if row.period == 1}
    sections = []
    for money in Money:
        mine = [row for row in rows if row.money == money and row.period == 0]
        lines = [
            _line(row, row.group, None if before is None else earlier.get((row.money, row.group), Decimal(0)))
            for row in mine
        ]
        total = None if before is None else _total(rows, money, 1)
        sections.append(CostSection(money=money, lines=tuple(sorted(lines, key=_largest)), before=total))
    return [one for one in sections if one.lines]


def _split_report(
    models: ReadModels, question: CostQuestion, split: str, *, compares: bool = True
) -> list[CostSection]:
    """A line a period and group, where it `compares` with what was before: the first with the period before it."""
    listed = periods_of(models, question, split)
    if not listed:
        return []
    since, until = span_of(question.dates)
    ahead = period_at(Timestamp(listed[0].start - 1), split, question.zone)
    ranges = [(max(since, one.start), min(until, one.end)) for one in listed]
    before = question.before if compares else None
    whole = [] if before is None else [span_of(before)]
    first = (ahead.start, ahead.end if compares else ahead.start)
    rows = models.costs(by=question.by, ranges=[first, *ranges, *whole], conditions=question.conditions)
    known = {(row.period, row.money, row.group): usd(row.cost) for row in rows}
    sections = []
    for money in Money:
        lines: list[CostLine] = []
        for number, period in enumerate(listed, 1):
            mine = [row for row in rows if row.money == money and row.period == number]
            lines += sorted(
                (
                    _line(row, (period.key, *row.group), known.get((number - 1, row.money, row.group), Decimal(0)))
                    for row in mine
                ),
                key=_largest,
            )
        total = None if before is None else _total(rows, money, len(listed) + 1)
        sections.append(CostSection(money=money, lines=tuple(lines), before=total))
    return [one for one in sections if one.lines]


def cost_charts(models: ReadModels, question: CostQuestion) -> list[Chart]:
    """Bars by period, a chart a kind of money that was spent, real first; one of nothing where there is none."""
    split = question.split or _fitting(models, question)
    asked = replace(question, split=split)
    keys = tuple(one.key for one in periods_of(models, question, split))
    charts = [section_chart(asked, section, keys) for section in _split_report(models, asked, split, compares=False)]
    return charts or [Chart(_title(asked), f"Real money, {split}, {_zone(question)}", keys, ())]


def section_chart(question: CostQuestion, section: CostSection, keys: tuple[str, ...]) -> Chart:
    """The bars of one section of a report that is split into the periods called `keys`."""
    amounts: dict[tuple[str, str], Decimal] = {}
    for line in section.lines:
        name = " / ".join(label or NO_LABEL for label in line.labels[1:]) or "all calls"
        amounts[str(line.labels[0]), name] = line.cost
    unknown = sum(line.unknown for line in section.lines)
    note = f"{HEADINGS[section.money]}, {question.split}, {_zone(question)}"
    note += f"; {unknown:,} calls of unknown cost are not in it" if unknown else ""
    return Chart(_title(question), note, keys, series_of(keys, amounts))


def _title(question: CostQuestion) -> str:
    return f"Cost by {' and '.join(question.by)}" if question.by else "Cost in all"


def chart_kind(path: str) -> str:
    """svg or html, by the file's name. Raises InvalidRequest."""
    kind = PurePath(path).suffix.lower()
    if kind not in (".svg", ".html"):
        raise InvalidRequest(f"chart {path!r}: expected a file that ends in .svg or .html")
    return kind[1:]


def _fitting(models: ReadModels, question: CostQuestion) -> str:
    """Days for two months, weeks for a year, else months."""
    found = periods_of(models, question, "monthly")
    start, end = (question.dates.start, question.dates.end) if found else (Timestamp(0), Timestamp(0))
    length = (end or min(question.now, found[-1].end)) - (start or found[0].start) if found else 0
    return "daily" if length <= 62 * _DAY else "weekly" if length <= 380 * _DAY else "monthly"


def _line(row: CostRow, labels: Labels, before: Decimal | None) -> CostLine:
    return CostLine(labels=labels, cost=usd(row.cost), calls=row.calls, unknown=row.unpriced, before=before)


def _largest(line: CostLine) -> tuple[Decimal, tuple[str, ...]]:
    return -line.cost, tuple(label or "" for label in line.labels)


def _total(rows: Sequence[CostRow], money: Money, period: int) -> Decimal:
    return usd(sum(row.cost for row in rows if row.money == money and row.period == period))


def _zone(question: CostQuestion) -> str:
    return str(getattr(question.zone, "key", question.zone))


def section_of(sections: Sequence[CostSection]) -> Mapping[Money, CostSection]:
    """All kinds of money, those that were not spent too."""
    found = {one.money: one for one in sections}
    return {money: found.get(money, CostSection(money=money, lines=())) for money in Money}
