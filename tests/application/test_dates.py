"""Dates as people write them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.application.dates import Calendar, zone_named
from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.time_ranges import TimeRange, local_time, timestamp_of
from model_orchestrator.domain.units import Timestamp

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> Timestamp:
    return timestamp_of(datetime.fromisoformat(text).replace(tzinfo=BERLIN))


NOW = at("2026-11-24T18:30:00")
CALENDAR = Calendar(NOW, BERLIN)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("today", "2026-11-24", "2026-11-25"),
        ("yesterday", "2026-11-23", "2026-11-24"),
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026-W48", "2026-11-23", "2026-11-30"),
        ("2026-w48", "2026-11-23", "2026-11-30"),
        ("2026-10-25", "2026-10-25", "2026-10-26"),
        ("2026-11-24T10:00", "2026-11-24T10:00", "2026-11-24T10:01"),
        ("2026-11-24 10:00:05", "2026-11-24T10:00:05", "2026-11-24T10:00:06"),
        ("2026-11-24T09:00:00Z", "2026-11-24T10:00", "2026-11-24T10:00:01"),
        ("2026-11-24T09:00+00:00", "2026-11-24T10:00", "2026-11-24T10:01"),
        ("7d", "2026-11-17T18:30", "2026-11-24T18:30"),
        ("24h", "2026-11-23T18:30", "2026-11-24T18:30"),
        ("2026-11..2026-12", "2026-11-01", "2027-01-01"),
        ("2026-11-01..2026-11-24", "2026-11-01", "2026-11-25"),
        ("7d..yesterday", "2026-11-17T18:30", "2026-11-24"),
        ("2026-11-24T10:00..2026-11-24T11:00", "2026-11-24T10:00", "2026-11-24T11:00"),
    ],
)
def test_a_date_is_a_range(text: str, start: str, end: str) -> None:
    """Half-open, by the zone's own clocks."""
    assert CALENDAR.range(text) == TimeRange(at(start), at(end))


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-11", "2026-11-01", "2026-12-01"),
        ("7d", "2026-11-17T18:30", "2026-11-17T18:30"),
        ("now", "2026-11-24T18:30", "2026-11-24T18:30"),
        ("2026-11-24T10:00", "2026-11-24T10:00", "2026-11-24T10:00"),
    ],
)
def test_since_and_until(text: str, since: str, until: str) -> None:
    """Up to a month is up to its end; up to a moment is up to that."""
    assert CALENDAR.since(text) == at(since)
    assert CALENDAR.until(text) == at(until)


def test_ranges_can_be_open() -> None:
    """One side may be left out."""
    assert CALENDAR.range("2026-11..") == TimeRange(at("2026-11-01"), None)
    assert CALENDAR.range("..2026-11") == TimeRange(None, at("2026-12-01"))
    assert CALENDAR.between(None, None) == TimeRange()


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026-13", "2026-02-30", "2026-W54", "0000", "9999", "999999w", "2026-11-24T25:00", "7y", "20261124x"],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    """The message shows what was expected."""
    with pytest.raises(InvalidRequest, match="expected today, yesterday"):
        CALENDAR.dates(text)


@pytest.mark.parametrize("text", ["2026-11..2026-10", "today..yesterday", "now..7d"])
def test_an_empty_range_is_refused(text: str) -> None:
    """It ends before it begins."""
    with pytest.raises(InvalidRequest, match="is empty"):
        CALENDAR.range(text)


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_refused(text: str) -> None:
    """Nothing else comes out."""
    with suppress(InvalidRequest):
        CALENDAR.range(text)


@given(st.integers(0, 2_000_000_000_000_000), st.sampled_from(("Europe/Berlin", "Asia/Kathmandu", "UTC")))
def test_a_written_moment_is_read_back(moment: int, zone: str) -> None:
    """To the microsecond, with its offset."""
    calendar = Calendar(NOW, zone_named(zone))
    text = local_time(Timestamp(moment), UTC).astimezone(calendar.zone).isoformat(timespec="microseconds")
    assert calendar.range(text) == TimeRange(Timestamp(moment), Timestamp(moment + 1))


def test_a_zone_that_is_not_known_names_the_nearest() -> None:
    """And nothing of the file system is opened for it."""
    with pytest.raises(InvalidRequest, match="did you mean Europe/Berlin"):
        zone_named("Europe/Berlim")
    for name in ("", "../../etc/passwd", "/etc/passwd", "Europe", "x" * 3000, "a\0b"):
        with pytest.raises(InvalidRequest, match="not known"):
            zone_named(name)
