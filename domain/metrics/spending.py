"""What keeping the strong model's quality costs, as a share of always asking the strong model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, compress
from operator import mul, sub

from .ranking import Ranking, mean
from .routing_curve import TOLERANCE

NO_SPREAD = 1e-6  # figures that differ by less tell nothing apart


@dataclass(frozen=True, slots=True)
class Bill:
    """Grades and costs (USD) of both models, one a prompt. Of a cascade the weak model is paid for every prompt."""

    weak: Sequence[float]
    strong: Sequence[float]
    weak_cost: Sequence[float]
    strong_cost: Sequence[float]
    is_cascade: bool = False

    def extra(self) -> list[float]:
        """What sending each prompt to the strong model adds."""
        return list(self.strong_cost) if self.is_cascade else list(map(sub, self.strong_cost, self.weak_cost))


class RankedBill:
    """A bill in the order of a ranking by need; prompts of equal need go to the strong model in the order given."""

    def __init__(self, ranking: Ranking, bill: Bill) -> None:
        self._ranking = ranking
        self._bill = bill
        self._gains = ranking.sorted(list(map(sub, bill.strong, bill.weak)))
        self._extra = ranking.sorted(bill.extra())

    def curve(self, counts: Sequence[int] | None = None) -> tuple[list[float], list[float]]:
        """USD and grades in total, where no, one, two ... prompts go to the strong model."""
        bill, taken = self._bill, [1] * len(self._gains) if counts is None else self._ranking.sorted(counts)
        all_ = sum(taken)
        cost, grade = mean(bill.weak_cost, counts) * all_, mean(bill.weak, counts) * all_
        costs = accumulate(map(mul, taken, self._extra), initial=cost)
        return list(costs), list(accumulate(map(mul, taken, self._gains), initial=grade))

    def shares(self, targets: Sequence[float], counts: Sequence[int] | None = None) -> list[float]:
        """The least cost that keeps each target, a part of the strong model's quality, as a share of always asking it.

        A ranking that tells nothing apart sends prompts at random. NaN where a target is out of reach.
        """
        bill = self._bill
        if self._ranking.spread < NO_SPREAD:
            return [random_share(bill, target, counts) for target in targets]
        costs, grades = self.curve(counts)
        all_ = len(bill.weak) if counts is None else sum(counts)
        always, best = mean(bill.strong_cost, counts) * all_, mean(bill.strong, counts) * all_
        enough = [(target * best - TOLERANCE * all_).__le__ for target in targets]
        least = [min(compress(costs, map(reaches, grades)), default=float("nan")) for reaches in enough]
        return [one / always if always else float("nan") for one in least]


def random_share(bill: Bill, target: float, counts: Sequence[int] | None = None) -> float:
    """The same share where prompts are sent at random, in expectation."""
    weak, strong, always = mean(bill.weak, counts), mean(bill.strong, counts), mean(bill.strong_cost, counts)
    if strong == weak or not always:
        return float("nan")
    sent = min(1.0, max(0.0, (target * strong - weak) / (strong - weak)))
    return (mean(bill.weak_cost, counts) + sent * mean(bill.extra(), counts)) / always
