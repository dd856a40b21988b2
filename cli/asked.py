"""The options that say what rows a command is about: dates, a time zone and conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..application.dates import Calendar
    from ..domain.filters import Condition, Field
    from ..domain.units import Timestamp

Since = Annotated[str | None, typer.Option("--since", help="From the beginning of this date on: 7d, 2026-11, today.")]
Until = Annotated[str | None, typer.Option("--until", help="Up to the end of this date.")]
Zone = Annotated[str, typer.Option("--tz", help="The time zone of dates and days, as Europe/Berlin.")]
Where = Annotated[
    list[str] | None, typer.Option("--where", help='A condition, as "cost > 0.05"; several are all to be met.')
]
Category = Annotated[str | None, typer.Option("--category", help="Only this category.")]
From = Annotated[
    Path | None, typer.Option("--from", metavar="DIR", help="Ask this history folder (`events export`), not the log.")
]
AsOf = Annotated[str | None, typer.Option("--as-of", help="As the log was then.")]


def calendar(zone: str) -> Calendar:
    """Reads dates by the zone's clocks, now. Raises InvalidRequest."""
    from ..application.dates import Calendar, zone_named
    from ..infrastructure.clock import SystemClock

    return Calendar(SystemClock().now(), zone_named(zone))


def conditions(
    where: Sequence[str] | None, fields: Mapping[str, Field], by: Calendar, category: str | None = None
) -> tuple[Condition, ...]:
    """What rows have to meet. Raises InvalidRequest."""
    from ..application.asking import conditions_of

    return conditions_of(where, fields, by, category)


def moment(text: str, by: Calendar) -> Timestamp:
    """The last moment of a date. Raises InvalidRequest."""
    from ..application.asking import moment_of

    return moment_of(text, by)
