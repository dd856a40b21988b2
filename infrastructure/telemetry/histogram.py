"""Histograms for Prometheus from the log buckets that model statistics keep.

A limit (`le`) is always the highest value of a log bucket, so that every count is exact: two limits an octave, from
8 ms to 268 s.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate

from ...domain.units import MILLION
from ...projections.buckets import bucket_of, middle_of

_HIGHEST = tuple(high for power in range(13, 29) for high in ((1 << power) - 1, 3 * (1 << (power - 1)) - 1))[:-1]
_LAST_BUCKETS = tuple(bucket_of(high) for high in _HIGHEST)
LIMITS = (*(repr(high / MILLION) for high in _HIGHEST), "+Inf")  # seconds


def cumulative(counts: Mapping[int, int]) -> list[tuple[str, float]]:
    """From counts by log bucket of microseconds: how many values were at most each limit."""
    found = [0] * len(LIMITS)
    for bucket, count in counts.items():
        found[bisect_left(_LAST_BUCKETS, bucket)] += count
    return [(limit, float(count)) for limit, count in zip(LIMITS, accumulate(found), strict=True)]


def estimated_sum(counts: Mapping[int, int]) -> float:
    """Seconds: the sum of the buckets' middles, at most a thirty-second off."""
    return sum(middle_of(bucket) * count for bucket, count in counts.items()) / MILLION
