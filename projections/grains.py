"""Time in roll-ups: sums by UTC hour, day and month, and how a range of time is put together from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ..domain.units import MILLION
from .projection import DAY, HOUR, month_of

BEGINNING, END = 0, 2**62  # microseconds: before and after every event
BASE = "base"  # a piece finer than every grain: from the base rows


@dataclass(frozen=True, slots=True)
class Piece:
    """A part [since, until) of range number `period`, whole in its grain."""

    period: int
    grain: str
    since: int
    until: int


def pieces(ranges: Sequence[tuple[int, int]], grains: Sequence[str]) -> Iterator[Piece]:
    """Ranges [since, until) of microseconds as whole months, days and hours, of the grains that are kept."""
    for period, (since, until) in enumerate(ranges):
        yield from _pieces(period, since, until, [grain for grain in ("month", "day", "hour") if grain in grains])


def _pieces(period: int, since: int, until: int, grains: Sequence[str]) -> Iterator[Piece]:
    if since >= until:
        return
    if not grains:
        yield Piece(period, BASE, since, until)
        return
    grain, finer = grains[0], grains[1:]
    first, last = _up(grain, since), _down(grain, until)
    if first >= last:
        yield from _pieces(period, since, until, finer)
        return
    yield from _pieces(period, since, first, finer)
    yield Piece(period, grain, first, last)
    yield from _pieces(period, last, until, finer)


def _down(grain: str, at: int) -> int:
    if at >= END or at <= BEGINNING:
        return at
    if grain == "month":
        return month_of(at)
    return at - at % (DAY if grain == "day" else HOUR)


def _up(grain: str, at: int) -> int:
    below = _down(grain, at)
    if below == at:
        return at
    if grain == "month":
        moment = datetime.fromtimestamp(below // MILLION, UTC)
        year, month = moment.year + moment.month // 12, moment.month % 12 + 1
        return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * MILLION
    return below + (DAY if grain == "day" else HOUR)
