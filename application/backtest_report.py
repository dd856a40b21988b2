"""What a backtest came to: each policy's figures with what they rest on, beside what anybody could do without one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..domain.catalogue import ModelName
from .backtest_tally import Calibration, Figure, Played, Tally, intervals

USD, SHARE = "usd_per_1000", "quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyResult:
    """One policy. `figures` that nothing is known of are left out; `counts` are the runs that they rest on."""

    name: str
    version: str
    strategy: str | None  # None: as each run was asked
    figures: dict[str, Figure]
    counts: dict[str, int]
    trained_on: int = 0  # of the prompts, those that its router was trained on

    @property
    def point(self) -> tuple[float, float] | None:
        """USD a 1,000 and quality, both observed."""
        if USD not in self.figures or SHARE not in self.figures:
            return None
        return self.figures[USD].value, self.figures[SHARE].value


@dataclass(slots=True)
class Reference:
    """What needs no policy: one model for everything, or the oracle."""

    name: str
    runs: int = 0
    quality: float = 0.0
    priced: int = 0
    cost: int = 0  # picodollars

    def add(self, played: Played) -> None:
        """One prompt."""
        if played.quality is not None:
            self.runs, self.quality = self.runs + 1, self.quality + played.quality
        if played.cost is not None:
            self.priced, self.cost = self.priced + 1, self.cost + played.cost

    @property
    def point(self) -> tuple[float, float] | None:
        """USD a 1,000 and quality; None where a part of it is not known."""
        return (self.cost / self.priced / 1e9, self.quality / self.runs) if self.runs and self.priced else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """One set, or the runs of one kind of money."""

    of: str  # a data set's name, or real, simulated, recorded
    is_log: bool
    policies: Sequence[PolicyResult]
    models: Sequence[Reference] = ()
    oracle: Reference | None = None
    calibrated: dict[str, int] = field(default_factory=dict)  # labelled answers that estimates rest on, by scorer

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "of": self.of,
            "source": "log" if self.is_log else "dataset",
            "policies": [self._policy_dict(one) for one in self.policies],
            "models": [_reference_dict(one) for one in self.models],
            "oracle": None if self.oracle is None else _reference_dict(self.oracle),
            "pareto_front": self.front(),
            "calibrated_on": self.calibrated,
        }

    def _policy_dict(self, one: PolicyResult) -> dict[str, Any]:
        return {
            "name": one.name,
            "version": one.version,
            "strategy": one.strategy,
            "figures": {name: _figure_dict(figure) for name, figure in one.figures.items()},
            "counts": one.counts,
            "trained_on": one.trained_on,
            "random_quality": self.random_at(one.point[0]) if one.point else None,
        }

    def mixing(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """The ends of random mixing: the cheapest model, and the best; prompts are dealt to them by chance."""
        points = [one.point for one in self.models if one.point]
        if len(points) < 2:
            return None
        return min(points), max(points, key=lambda point: (point[1], -point[0]))

    def random_at(self, usd: float) -> float | None:
        """The quality that random mixing has at a price; None where it cannot be had for that."""
        ends = self.mixing()
        if ends is None or usd < ends[0][0]:
            return None
        (low, worse), (high, better) = ends
        return better if usd >= high else worse + (better - worse) * (usd - low) / (high - low)

    def points(self) -> dict[str, tuple[float, float]]:
        """USD a 1,000 and quality of each model and policy of which both are known."""
        models = {one.name: one.point for one in self.models if one.point}
        return models | {one.name: one.point for one in self.policies if one.point}

    def front(self) -> list[str]:
        """Models and policies that nothing else matches for less, by price."""
        best, found = float("-inf"), []
        for name, (_, quality) in sorted(self.points().items(), key=lambda one: (one[1][0], -one[1][1])):
            if quality > best:
                best = quality
                found.append(name)
        return found


def policy_result(
    name: str, version: str, strategy: str | None, tally: Tally, calibration: Calibration, trained_on: int = 0
) -> PolicyResult:
    """A policy's figures with their intervals."""
    usable = calibration.usable()
    return PolicyResult(
        name=name,
        version=version,
        strategy=strategy,
        figures=intervals(tally, calibration, usable),
        counts=tally.counts(usable),
        trained_on=trained_on,
    )


def references(models: Iterable[ModelName]) -> dict[ModelName, Reference]:
    """One for each model."""
    return {model: Reference(model) for model in models}


def calibrated_on(calibration: Calibration) -> dict[str, int]:
    """Labelled answers in bins that can estimate, by scorer."""
    counts: dict[str, int] = {}
    usable = calibration.usable()
    for bins in calibration.seen.values():
        for key, (count, _) in bins.items():
            if key in usable:
                counts[key[0]] = counts.get(key[0], 0) + count
    return dict(sorted(counts.items()))


def _figure_dict(figure: Figure) -> dict[str, float]:
    return {"value": figure.value, "low": figure.low, "high": figure.high}


def _reference_dict(one: Reference) -> dict[str, Any]:
    return {
        "name": one.name,
        "runs": one.runs,
        "quality": one.quality / one.runs if one.runs else None,
        "usd_per_1000": one.cost / one.priced / 1e9 if one.priced else None,
    }
