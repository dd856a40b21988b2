"""Bootstrap: how far figures would differ on other prompts of the same kind."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from random import Random

from ...domain.metrics.interval import Interval, interval

RESAMPLES = 300
SEED = 1

Counts = Sequence[int]
Figures = Mapping[str, float]


class Measured:
    """Figures as they are, and as they come out on resamples of the prompts."""

    def __init__(self, figures: Callable[[Counts | None], Figures], prompts: int) -> None:
        self.figures = figures(None)
        self._drawn = [figures(counts) for counts in resamples(prompts)]

    def intervals(self) -> dict[str, Interval]:
        """Of each figure that is a number, 95 %."""
        found = {name: interval(one[name] for one in self._drawn) for name in self.figures}
        return {name: one for name, one in found.items() if one is not None}

    def over(self, other: Measured, name: str) -> tuple[float, Interval | None]:
        """How much higher a figure is than another's on the same prompts, and the interval of that."""
        pairs = zip(self._drawn, other._drawn, strict=True)
        return self.figures[name] - other.figures[name], interval(mine[name] - its[name] for mine, its in pairs)


@lru_cache(maxsize=2)
def resamples(prompts: int) -> tuple[Counts, ...]:
    """How often each prompt is drawn, resample by resample; the same every time, so that differences are paired."""
    chance = Random(SEED)
    return tuple(_resample(prompts, chance) for _ in range(RESAMPLES))


def _resample(prompts: int, chance: Random) -> Counts:
    counts = [0] * prompts
    for draw in array("I", chance.randbytes(4 * prompts)):
        counts[draw * prompts >> 32] += 1
    return counts
