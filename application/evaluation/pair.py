"""A weak and a strong model: what a ranking by need is worth, for a router before the call or a cascade after it."""

from __future__ import annotations

from collections.abc import Sequence
from operator import add

from ...domain.catalogue import ModelName
from ...domain.errors import InvalidRequest
from ...domain.metrics.ranking import Ranking, mean
from ...domain.metrics.routing_curve import RankedPair, RoutingCurve
from ...domain.metrics.spending import Bill, RankedBill
from .chosen import Chosen
from .recorded_set import RecordedSet
from .report import Point, Row
from .resampling import Counts, Figures, Measured

HALF = 0.5
TARGETS = {"cost95": 0.95, "cost98": 0.98, "cost100": 1.0}  # of the strong model's quality
POINTS = 120  # of a curve that is drawn


class ModelPair:
    """Grades and costs of both. Of a cascade the weak model, and a second beside it, are paid for every prompt."""

    def __init__(
        self,
        data: RecordedSet,
        weak: ModelName,
        strong: ModelName,
        *,
        is_cascade: bool = False,
        second: ModelName | None = None,
    ) -> None:
        if weak == strong:
            raise InvalidRequest(f"weak and strong model are both {weak}: expected two")
        self.names = (weak, strong)
        self.weak, self.strong = data.grades(weak), data.grades(strong)
        if sum(self.strong) <= sum(self.weak):
            raise InvalidRequest(
                f"data set {data.name}: {strong} ({mean(self.strong):.4f}) is no better than {weak} "
                f"({mean(self.weak):.4f}), so there is no gap to recover: exchange them, or choose another pair"
            )
        self._is_cascade = is_cascade
        self._alone = (data.costs(weak), data.costs(strong))
        self.costs = _costs(*self._alone, [0.0] * len(self.weak) if second is None else data.costs(second))

    @property
    def gains(self) -> list[float]:
        """What the strong model adds to each prompt's grade."""
        return [strong - weak for weak, strong in zip(self.weak, self.strong, strict=True)]

    def measured(self, needs: Sequence[float]) -> Measured:
        """The figures of a ranking, with its resamples."""
        return Measured(_Ranked(self, needs, HALF).figures, len(needs))

    def row(self, name: str, needs: Sequence[float], measured: Measured | None = None, *, share: float = HALF) -> Row:
        """The figures of a ranking and its curve; without `measured`, no intervals.

        Quality and cost are those where this share of the prompts is sent to the strong model.
        """
        ranked = _Ranked(self, needs, share)
        if measured is None:
            return Row(name=name, figures=ranked.figures(None), points=ranked.points())
        return Row(name=name, figures=measured.figures, intervals=measured.intervals(), points=ranked.points())

    def always(self, place: int) -> Row:
        """One of the two for every prompt: 0 the weak model, 1 the strong."""
        figures = {"quality": mean((self.weak, self.strong)[place])}
        if (costs := self._alone[place]) is not None:
            figures["usd_per_1000"] = 1000 * mean(costs)
        x = figures.get("usd_per_1000", float(place))
        return Row(name=f"always {self.names[place]}", figures=figures, points=[(x, figures["quality"])])

    def sent(self, sent: Sequence[bool]) -> Chosen:
        """What it comes to where exactly these prompts are sent to the strong model."""
        grades = [strong if one else weak for one, weak, strong in zip(sent, self.weak, self.strong, strict=True)]
        columns = self.sent_costs()
        if columns is None:
            return Chosen(grades, None, {"share": sent})
        costs = [goes if one else stays for one, stays, goes in zip(sent, *columns, strict=True)]
        return Chosen(grades, costs, {"share": sent})

    def bill(self) -> Bill | None:
        """Both columns of money; None where a cost is unknown."""
        return None if self.costs is None else Bill(self.weak, self.strong, *self.costs, self._is_cascade)

    def sent_costs(self) -> tuple[Sequence[float], Sequence[float]] | None:
        """USD of each prompt that stays, and of each that is sent on."""
        if self.costs is None:
            return None
        stays, goes = self.costs
        return stays, list(map(add, stays, goes)) if self._is_cascade else goes


class _Ranked:
    """A pair under one ranking."""

    def __init__(self, pair: ModelPair, needs: Sequence[float], share: float) -> None:
        ranking = Ranking(needs)
        self._share = share
        self._grades = RankedPair(ranking, pair.weak, pair.strong)
        bill, costs = pair.bill(), pair.sent_costs()
        self._bill = None if bill is None else RankedBill(ranking, bill)
        self._costs = None if costs is None else RankedPair(ranking, *costs)

    def figures(self, counts: Counts | None) -> Figures:
        """Those of RouteLLM, the cost at equal quality, and quality and cost where the share is sent."""
        curve = self._grades.curve(counts)
        found = {"apgr": curve.apgr, "cpt50": curve.cpt(0.5), "cpt80": curve.cpt(0.8)}
        found |= {"pgr20": curve.pgr(0.2), "pgr50": curve.pgr(0.5), "quality": curve.at(self._share)}
        if self._bill is not None and self._costs is not None:
            found |= dict(zip(TARGETS, self._bill.shares(list(TARGETS.values()), counts), strict=True))
            found["usd_per_1000"] = 1000 * self._costs.curve(counts).at(self._share)
        return found

    def points(self) -> list[Point]:
        """Cost a 1,000 prompts, or the share sent where costs are unknown, and quality."""
        curve = self._grades.curve()
        if self._costs is None:
            return thinned(curve.points())
        spent: RoutingCurve = self._costs.curve()
        pairs = zip(spent.points(), curve.points(), strict=True)
        return thinned([(1000 * usd, quality) for (_, usd), (_, quality) in pairs])


def thinned(points: Sequence[Point]) -> list[Point]:
    """So many as a picture can show, both ends among them."""
    if len(points) <= POINTS:
        return list(points)
    step = (len(points) - 1) / (POINTS - 1)
    return [points[round(place * step)] for place in range(POINTS)]


def _costs(
    cheap: Sequence[float] | None, dear: Sequence[float] | None, beside: Sequence[float] | None
) -> tuple[Sequence[float], Sequence[float]] | None:
    return None if cheap is None or dear is None or beside is None else (list(map(add, cheap, beside)), dear)
