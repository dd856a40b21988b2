"""Whether confidences are the shares of right answers that they say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import mul, sub

from .ranking import mean

BINS = 10


class Calibration:
    """Confidences beside what became of them."""

    def __init__(self, confidences: Sequence[float], right: Sequence[bool]) -> None:
        clipped = [min(1.0, max(0.0, one)) for one in confidences]
        self._squares = [error * error for error in map(sub, confidences, right)]
        self._surplus = list(map(sub, clipped, right))
        bins = [min(int(one * BINS), BINS - 1) for one in clipped]
        order = sorted(range(len(bins)), key=bins.__getitem__)
        self._bins = [list(places) for _, places in groupby(order, key=bins.__getitem__)]

    def expected_error(self, counts: Sequence[int] | None = None) -> float:
        """ECE: the mean distance of confidence and share of right answers, over ten bins of equal width."""
        surplus = self._surplus if counts is None else list(map(mul, counts, self._surplus))
        apart: float = sum(abs(sum(map(surplus.__getitem__, places))) for places in self._bins)
        return apart / (len(surplus) if counts is None else sum(counts))

    def brier(self, counts: Sequence[int] | None = None) -> float:
        """The mean squared difference between confidence and outcome."""
        return mean(self._squares, counts)
