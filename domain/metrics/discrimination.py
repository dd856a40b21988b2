"""Whether a figure tells right answers from wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from operator import add, mul, sub

from .ranking import Ranking


def auroc(ranking: Ranking, right: Sequence[bool], counts: Sequence[int] | None = None) -> float:
    """The chance that a right answer ranks above a wrong one, ties counted half. NaN where all are of one kind."""
    taken = [1] * len(right) if counts is None else ranking.sorted(counts)
    good = [0, *ranking.at_ends(list(accumulate(map(mul, taken, ranking.sorted(right)))))]
    bad = list(map(sub, [0, *ranking.at_ends(list(accumulate(taken)))], good))
    if not good[-1] or not bad[-1]:
        return float("nan")
    beaten_by: float = sum(map(mul, map(sub, bad[1:], bad), map(add, good[1:], good))) / 2
    pairs: int = good[-1] * bad[-1]
    return beaten_by / pairs
