"""The quality that a router reaches when a share of the prompts goes to the strong model.

Source: RouteLLM (arXiv 2406.18665) for the recovered performance gap (PGR),
its area (APGR) and the share it takes (CPT).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import add, mul, sub

from .ranking import Ranking, mean

TOLERANCE = 1e-12  # what rounding may take from a target


@dataclass(frozen=True, slots=True)
class RoutingCurve:
    """Piecewise linear: between two points, prompts of equal need are sent at random."""

    sent: Sequence[int]  # prompts to the strong model so far, from 0 to all
    gained: Sequence[float]  # what their grades add to those of the weak model
    base: float  # mean grade of the weak model

    @property
    def prompts(self) -> int:
        """How many are counted."""
        return self.sent[-1]

    @property
    def gap(self) -> float:
        """How much better the strong model's mean grade is; 0 or less where it is not."""
        return self.gained[-1] / self.prompts

    @property
    def apgr(self) -> float:
        """The area under the recovered gap: 0.5 at random. NaN where there is no gap."""
        if not self.gap:
            return float("nan")
        widths = map(sub, self.sent[1:], self.sent)
        area: float = sum(map(mul, widths, map(add, self.gained[1:], self.gained))) / 2
        return area / (self.prompts * self.gained[-1])

    def pgr(self, share: float) -> float:
        """The part of the gap recovered when that share goes to the strong model. NaN where there is no gap."""
        return (self.at(share) - self.base) / self.gap if self.gap else float("nan")

    def at(self, share: float) -> float:
        """The mean grade when that share, 0 to 1, goes to the strong model."""
        wanted = share * self.prompts
        after = next((place for place, one in enumerate(self.sent) if one > wanted), len(self.sent) - 1)
        width, rise = self._step(after)
        part = (wanted - self.sent[after - 1]) / width if width else 1.0
        return self.base + (self.gained[after - 1] + part * rise) / self.prompts

    def cpt(self, recovered: float) -> float:
        """The least share that recovers this part of the gap. NaN where there is no gap."""
        if self.gap <= 0:
            return float("nan")
        target = recovered * self.gained[-1]
        least = target - TOLERANCE * self.gained[-1]
        reached = next(place for place, one in enumerate(self.gained) if one >= least)
        width, rise = self._step(reached) if reached else (0, 0.0)
        behind = (self.gained[reached] - target) / rise * width if rise else 0.0
        return (self.sent[reached] - behind) / self.prompts

    def points(self) -> list[tuple[float, float]]:
        """Share and quality, to be drawn."""
        all_ = self.prompts
        return [(sent / all_, self.base + gained / all_) for sent, gained in zip(self.sent, self.gained, strict=True)]

    def _step(self, place: int) -> tuple[int, float]:
        return self.sent[place] - self.sent[place - 1], self.gained[place] - self.gained[place - 1]


class RankedPair:
    """Both models' grades in the order of a ranking by need."""

    def __init__(self, ranking: Ranking, weak: Sequence[float], strong: Sequence[float]) -> None:
        self._ranking = ranking
        self._weak = weak
        self._gains = ranking.sorted(list(map(sub, strong, weak)))

    def curve(self, counts: Sequence[int] | None = None) -> RoutingCurve:
        """The curve, the prompts with the highest need sent first."""
        taken = [1] * len(self._weak) if counts is None else self._ranking.sorted(counts)
        sent = self._ranking.at_ends(list(accumulate(taken)))
        gained = self._ranking.at_ends(list(accumulate(map(mul, taken, self._gains))))
        return RoutingCurve([0, *sent], [0.0, *gained], mean(self._weak, counts))
