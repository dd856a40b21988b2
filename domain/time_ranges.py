"""Ranges of time, and the days, weeks and months of a time zone as half-open ranges of UTC.

A day begins at the first moment its local midnight stands for, and lasts until the next one's begins: 23 or 25 hours
where the clocks change. So the periods of a zone follow each other without gap or overlap, whatever its clocks do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from .units import Timestamp

SPLITS = ("daily", "weekly", "monthly")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` up to and without `end`; None is open."""

    start: Timestamp | None = None
    end: Timestamp | None = None

    def __contains__(self, at: Timestamp) -> bool:
        return (self.start is None or at >= self.start) and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class Period:
    """A day, week or month of a time zone: its name (2026-11-24, 2026-W48 or 2026-11), start, and end without it."""

    key: str
    start: Timestamp
    end: Timestamp


def timestamp_of(moment: datetime) -> Timestamp:
    """Microseconds of a moment that knows its zone."""
    return Timestamp((moment - _EPOCH) // _MICROSECOND)


def local_time(at: Timestamp, zone: tzinfo) -> datetime:
    """What the zone's clocks show. Raises OverflowError beyond the calendar."""
    return (_EPOCH + timedelta(microseconds=at)).astimezone(zone)


def midnight(day: date, zone: tzinfo) -> Timestamp:
    """When the day begins."""
    return timestamp_of(datetime.combine(day, time(), zone))


def period_at(at: Timestamp, split: str, zone: tzinfo) -> Period:
    """The period that holds `at`. Raises KeyError for a split that is none."""
    first = _first_day(local_time(at, zone).date(), split)
    while at >= midnight(_next(first, split), zone):  # the clocks went back over midnight: the new day had begun
        first = _next(first, split)
    return Period(_key(first, split), midnight(first, zone), midnight(_next(first, split), zone))


def periods(start: Timestamp, end: Timestamp, split: str, zone: tzinfo) -> Iterator[Period]:
    """Every period that holds a part of the range, in order; days that a zone skipped are left out."""
    while start < end:
        period = period_at(start, split, zone)
        yield period
        start = period.end


def day_range(first: date, after: date, zone: tzinfo) -> TimeRange:
    """The days from `first` up to and without `after`."""
    return TimeRange(midnight(first, zone), midnight(after, zone))


def range_before(start: Timestamp, end: Timestamp, zone: tzinfo) -> TimeRange:
    """What a range is compared with: as many whole months or days before it, else as much time."""
    first, after = local_time(start, zone), local_time(end, zone)
    if (midnight(first.date(), zone), midnight(after.date(), zone)) != (start, end):
        return TimeRange(Timestamp(2 * start - end), start)
    if first.day == after.day == 1:
        months = 12 * (after.year - first.year) + after.month - first.month
        month = 12 * first.year + first.month - 1 - months
        return TimeRange(midnight(date(month // 12, month % 12 + 1, 1), zone), start)
    return TimeRange(midnight(first.date() - (after.date() - first.date()), zone), start)


def _first_day(day: date, split: str) -> date:
    return {"daily": day, "weekly": day - day.weekday() * _DAY, "monthly": day.replace(day=1)}[split]


def _next(first: date, split: str) -> date:
    if split == "monthly":
        return (first + 31 * _DAY).replace(day=1)
    return first + _DAY * (7 if split == "weekly" else 1)


def _key(first: date, split: str) -> str:
    if split == "weekly":
        year, week, _ = first.isocalendar()
        return f"{year:04}-W{week:02}"
    return first.isoformat()[: 7 if split == "monthly" else 10]
