"""The interval of a metric from its values on resamples."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, isfinite

LEVEL = 0.95
Interval = tuple[float, float]


def interval(values: Iterable[float], level: float = LEVEL) -> Interval | None:
    """The middle `level` of the values, between neighbours by their distance; None where none is finite."""
    found = sorted(value for value in values if isfinite(value))
    return (_quantile(found, (1 - level) / 2), _quantile(found, (1 + level) / 2)) if found else None


def _quantile(ordered: list[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
