"""One answer a prompt: what the choice is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...domain.catalogue import ModelName
from ...domain.metrics.ranking import mean
from .recorded_set import RecordedSet
from .report import Row
from .resampling import Counts, Figures, Measured

RANDOM, ORACLE = "random", "oracle"


class Chosen:
    """The grade of the answer chosen for each prompt, and the USD paid for it; `others` are more columns to average."""

    def __init__(
        self,
        grades: Sequence[float],
        costs: Sequence[float] | None,
        others: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.grades = grades
        self.costs = costs
        self._others = others or {}

    def figures(self, counts: Counts | None = None) -> Figures:
        """Their means."""
        found = {"quality": mean(self.grades, counts)}
        if self.costs is not None:
            found["usd_per_1000"] = 1000 * mean(self.costs, counts)
        return found | {name: mean(column, counts) for name, column in self._others.items()}

    def measured(self) -> Measured:
        """With resamples."""
        return Measured(self.figures, len(self.grades))

    def row(self, name: str) -> Row:
        """As it is reported, one point of a picture."""
        figures = self.figures()
        return Row(name=name, figures=figures, points=point(figures))


def point(figures: Figures) -> list[tuple[float, float]]:
    """Where a choice stands in a picture; nowhere where its cost is unknown."""
    return [(figures["usd_per_1000"], figures["quality"])] if "usd_per_1000" in figures else []


def against(measured: Measured, best: Measured) -> Row:
    """Figures with their intervals, and how they stand to the best single model on the same prompts."""
    figures, intervals = dict(measured.figures), measured.intervals()
    gain, interval = measured.over(best, "quality")
    figures["quality_over_best"] = gain
    if interval is not None:
        intervals["quality_over_best"] = interval
    if "usd_per_1000" in figures and best.figures["usd_per_1000"]:
        figures["cost_share"] = figures["usd_per_1000"] / best.figures["usd_per_1000"]
    return Row(name="", figures=figures, intervals=intervals)


def singles(data: RecordedSet, models: Sequence[ModelName]) -> dict[ModelName, Chosen]:
    """Each model for every prompt, the best first; of equals the cheapest."""
    found = {model: Chosen(data.grades(model), data.costs(model)) for model in models}
    return dict(sorted(found.items(), key=lambda one: (-mean(one[1].grades), mean(one[1].costs or [0.0]))))


def references(alone: Mapping[ModelName, Chosen]) -> list[Row]:
    """Each model for every prompt, one at random, and the cheapest of the best answers to each."""
    columns = list(alone.values())
    grades = [sum(row) / len(row) for row in zip(*(one.grades for one in columns), strict=True)]
    best = [max(row) for row in zip(*(one.grades for one in columns), strict=True)]
    paid = [one.costs for one in columns if one.costs is not None]
    mixed = least = None
    if len(paid) == len(columns):
        rows = list(zip(*paid, strict=True))
        mixed = [sum(row) / len(row) for row in rows]
        least = [
            min(cost for cost, one in zip(row, columns, strict=True) if one.grades[place] == best[place])
            for place, row in enumerate(rows)
        ]
    always = [chosen.row(f"always {model}") for model, chosen in alone.items()]
    return [*always, Chosen(grades, mixed).row(RANDOM), Chosen(best, least).row(ORACLE)]
