"""The periods budgets run over; all in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from .units import Timestamp

PERIODS = ("day", "week", "month", "total")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def period_key(period: str, at: Timestamp) -> str:
    """The name of the period that holds `at`: 2026-11-24, 2026-W48 (ISO), 2026-11 or total."""
    if period == "total":
        return period
    day = (_EPOCH + timedelta(microseconds=at)).date()
    if period == "week":
        year, week, _ = day.isocalendar()
        return f"{year:04}-W{week:02}"
    return day.isoformat()[: 7 if period == "month" else 10]
