"""Dates as people write them, in a time zone: today, yesterday, 7d, 24h, 2026-11, 2026-W48, 2026-11-24T10:00, A..B."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from difflib import get_close_matches

from ..domain.errors import InvalidRequest
from ..domain.time_ranges import TimeRange, day_range, local_time, timestamp_of
from ..domain.units import MILLION, Timestamp

FORMS = "today, yesterday, now, 7d, 24h, 2026, 2026-11, 2026-W48, 2026-11-24, 2026-11-24T10:00 or a range A..B"
_AGO = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_YEAR = re.compile(r"\d{4}")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_WEEK = re.compile(r"(\d{4})-?W(\d{2})")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ](\d{2})(:\d{2})?(:\d{2})?([.,]\d{1,6})?\s*(Z|[+-]\d{2}:?\d{2})?")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Dates:
    """What a date text means: the range it names; a moment is one that has no length to people."""

    start: Timestamp
    end: Timestamp
    is_moment: bool = False


@dataclass(frozen=True, slots=True)
class Calendar:
    """Reads dates by the clocks of `zone`, at `now`."""

    now: Timestamp
    zone: tzinfo

    def since(self, text: str) -> Timestamp:
        """The first moment of what is named; 7d: so long ago. Raises InvalidRequest."""
        return self.dates(text).start

    def until(self, text: str) -> Timestamp:
        """The moment up to which is meant, itself excluded: a day, week or month counts to its end."""
        found = self.dates(text)
        return found.start if found.is_moment else found.end

    def range(self, text: str) -> TimeRange:
        """A day, week, month, year or second as a whole; 7d: from then to now; A..B, A.. and ..B, both included."""
        first, dots, last = text.partition("..")
        if dots:
            start = self.since(first) if first.strip() else None
            end = self.until(last) if last.strip() else None
            return _ordered(text, start, end)
        if _AGO.fullmatch(text.strip()):
            return TimeRange(self.since(text), self.now)
        found = self.dates(text)
        return TimeRange(found.start, found.end)

    def between(self, since: str | None, until: str | None) -> TimeRange:
        """The range of two options. Raises InvalidRequest where it is empty."""
        start = None if since is None else self.since(since)
        end = None if until is None else self.until(until)
        return _ordered(f"{since}..{until}", start, end)

    def dates(self, text: str) -> Dates:
        """What one date means. Raises InvalidRequest."""
        word = text.strip()
        try:
            found = self._read(word.lower()) or self._read_moment(word)
        except (ValueError, OverflowError):
            found = None
        if found is None:
            raise InvalidRequest(f"date {text!r}: expected {FORMS}")
        return found

    def _read(self, word: str) -> Dates | None:
        if word == "now":
            return Dates(self.now, Timestamp(self.now + 1), is_moment=True)
        if word in ("today", "yesterday"):
            day = local_time(self.now, self.zone).date() - (word == "yesterday") * _DAY
            return self._days(day, day + _DAY)
        if found := _AGO.fullmatch(word):
            at = Timestamp(self.now - int(found[1]) * _SECONDS[found[2]] * MILLION)
            local_time(at, self.zone)  # beyond the calendar there is nothing to find
            return Dates(at, Timestamp(at + 1), is_moment=True)
        if _YEAR.fullmatch(word):
            return self._days(date(int(word), 1, 1), date(int(word) + 1, 1, 1))
        if found := _MONTH.fullmatch(word):
            first = date(int(found[1]), int(found[2]), 1)
            return self._days(first, (first + 31 * _DAY).replace(day=1))
        if found := _WEEK.fullmatch(word.upper()):
            monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
            return self._days(monday, monday + 7 * _DAY)
        if len(word) == 10:
            day = date.fromisoformat(word)
            return self._days(day, day + _DAY)
        return None

    def _read_moment(self, word: str) -> Dates | None:
        """A date-time; as a range it is the hour, minute, second or microsecond it is written to."""
        if not (found := _MOMENT.fullmatch(word)):
            return None
        _, minutes, seconds, fraction, zone = found.groups()
        moment = datetime.fromisoformat(word.replace(",", ".").replace(" ", "T" if word[10] == " " else "", 1))
        start = timestamp_of(moment if zone else moment.replace(tzinfo=self.zone))
        length = 1 if fraction else MILLION if seconds else 60 * MILLION if minutes else 3600 * MILLION
        return Dates(start, Timestamp(start + length), is_moment=True)

    def _days(self, first: date, after: date) -> Dates:
        days = day_range(first, after, self.zone)
        assert days.start is not None
        assert days.end is not None
        return Dates(days.start, days.end)


def zone_named(name: str) -> tzinfo:
    """The time zone, as in Europe/Berlin. Raises InvalidRequest."""
    from zoneinfo import ZoneInfo, available_timezones  # 5 ms: only who asks for dates pays

    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError):  # unknown, a folder, not a name
        near = get_close_matches(name, available_timezones(), 1, 0.6)
    hint = f"; did you mean {near[0]}?" if near else ", as in Europe/Berlin or UTC"
    raise InvalidRequest(f"time zone {name!r} is not known: expected a name of the IANA list{hint}")


def _ordered(text: str, start: Timestamp | None, end: Timestamp | None) -> TimeRange:
    if start is not None and end is not None and start >= end:
        raise InvalidRequest(f"range {text!r} is empty: it ends before it begins")
    return TimeRange(start, end)
