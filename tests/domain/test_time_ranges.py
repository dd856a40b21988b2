"""Days, weeks and months of a time zone: without gap or overlap, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_orchestrator.domain.time_ranges import (
    SPLITS,
    Period,
    TimeRange,
    local_time,
    midnight,
    period_at,
    periods,
    range_before,
    timestamp_of,
)
from model_orchestrator.domain.units import Timestamp

HOUR = 3600 * 1_000_000
BERLIN = ZoneInfo("Europe/Berlin")
ZONES: list[tzinfo] = [  # midnight that is skipped, that comes twice, a day that never was, half an hour, none of these
    *map(ZoneInfo, ("America/Sao_Paulo", "America/St_Johns", "America/Havana", "Pacific/Apia", "Australia/Lord_Howe")),
    BERLIN,
    UTC,
]
moments = st.integers(0, 4_000_000_000_000_000).map(Timestamp)


def at(*fields: int, zone: tzinfo = BERLIN) -> Timestamp:
    return timestamp_of(datetime(*fields, tzinfo=zone))  # type: ignore[misc, arg-type]


@given(moments, st.integers(1, 60 * 24 * HOUR), st.sampled_from(SPLITS), st.sampled_from(ZONES))
@example(at(1999, 10, 31, zone=ZONES[1]), 24 * HOUR, "daily", ZONES[1])
@example(at(2011, 12, 28, zone=ZONES[3]), 96 * HOUR, "daily", ZONES[3])
def test_periods_follow_each_other(start: Timestamp, length: int, split: str, zone: tzinfo) -> None:
    """A range is covered by periods that touch, and each moment is in the one that is said to hold it."""
    end = Timestamp(start + length)
    found = list(periods(start, end, split, zone))
    assert found[0].start <= start
    assert found[-1].end >= end
    assert all(one.start < one.end for one in found)
    assert all(one.end == other.start for one, other in pairwise(found))
    assert len({one.key for one in found}) == len(found)
    for one in found:
        for moment in (one.start, Timestamp(one.end - 1), Timestamp((one.start + one.end) // 2)):
            assert period_at(moment, split, zone) == one


@given(moments, st.sampled_from(SPLITS), st.sampled_from(ZONES))
@example(Timestamp(at(1999, 10, 31, zone=ZONES[1]) + HOUR // 2), "daily", ZONES[1])  # 23:31 again: the 31st had begun
def test_a_period_holds_its_moments(moment: Timestamp, split: str, zone: tzinfo) -> None:
    """Also where the clocks go back over midnight."""
    period = period_at(moment, split, zone)
    assert period.start <= moment < period.end


@given(moments, st.sampled_from(SPLITS), st.sampled_from(ZONES[3:]))
def test_a_period_is_named_by_the_local_date(moment: Timestamp, split: str, zone: tzinfo) -> None:
    """The key is the local calendar's, where no clock goes back over midnight."""
    day = local_time(moment, zone).date()
    year, week, _ = day.isocalendar()
    names = {"daily": f"{day}", "weekly": f"{year:04}-W{week:02}", "monthly": f"{day}"[:7]}
    assert period_at(moment, split, zone).key == names[split]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-24", 24)])
def test_a_day_has_the_hours_of_its_clocks(day: str, hours: int) -> None:
    """Where the clocks change a day has 23 or 25 hours."""
    period = period_at(midnight(date.fromisoformat(day), BERLIN), "daily", BERLIN)
    assert period == Period(day, period.start, Timestamp(period.start + hours * HOUR))


def test_weeks_are_those_of_iso() -> None:
    """The year of a week is that of its Thursday."""
    assert period_at(at(2027, 1, 3), "weekly", BERLIN).key == "2026-W53"
    assert period_at(at(2024, 12, 30), "weekly", BERLIN).key == "2025-W01"


def test_a_range_excludes_its_end() -> None:
    """Half-open; None is open."""
    one = TimeRange(Timestamp(1), Timestamp(3))
    assert [moment in one for moment in map(Timestamp, (0, 1, 2, 3))] == [False, True, True, False]
    assert Timestamp(5) in TimeRange()


@pytest.mark.parametrize(
    ("start", "end", "before"),
    [
        (at(2026, 3, 1), at(2026, 4, 1), at(2026, 2, 1)),
        (at(2026, 1, 1), at(2027, 1, 1), at(2025, 1, 1)),
        (at(2026, 10, 25), at(2026, 10, 26), at(2026, 10, 24)),
        (at(2026, 10, 26), at(2026, 11, 2), at(2026, 10, 19)),
        (at(2026, 11, 24, 6), at(2026, 11, 24, 18), at(2026, 11, 23, 18)),
    ],
)
def test_a_range_is_compared_with_as_much_before(start: Timestamp, end: Timestamp, before: Timestamp) -> None:
    """Months with months, days with days, else the same length."""
    assert range_before(start, end, BERLIN) == TimeRange(before, start)


def test_the_calendar_ends() -> None:
    """Beyond the year 9999 there is no local time."""
    with pytest.raises(OverflowError):
        local_time(Timestamp(10**18), UTC)
