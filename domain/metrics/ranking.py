"""Prompts in the order of a figure: sorted once, used for every resample."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import itemgetter, mul
from typing import TypeVar

T = TypeVar("T")


class Ranking:
    """The order of prompts by falling figure; those of equal figure form one group, in the order given."""

    def __init__(self, figures: Sequence[float]) -> None:
        self.order = sorted(range(len(figures)), key=lambda place: -figures[place])
        ordered = self.sorted(figures)
        self._ends = [place for place, (one, next_) in enumerate(pairwise(ordered)) if one != next_]
        self._ends.append(len(ordered) - 1)
        self.spread = ordered[0] - ordered[-1]

    def sorted(self, column: Sequence[T]) -> Sequence[T]:
        """A column of one value a prompt, in this order."""
        return itemgetter(*self.order)(column) if len(self.order) > 1 else list(column)

    def at_ends(self, column: Sequence[T]) -> Sequence[T]:
        """Of a sorted column, the value at the end of each group."""
        return column if len(self._ends) == len(self.order) else [column[place] for place in self._ends]


def mean(column: Sequence[float], counts: Sequence[int] | None = None) -> float:
    """The mean, each value counted as often as told."""
    return sum(column) / len(column) if counts is None else sum(map(mul, counts, column)) / sum(counts)
