"""What a policy came to over many runs: sums by group, which add up in any order, and intervals by resampling groups.

A run's group is a hash of its id, so memory does not grow with the runs, and 95 % intervals come from drawing groups
with replacement: with 500 groups that is the bootstrap over runs, but for the runs that share a group.

Sums are integers: to the last digit the same, however the runs are dealt to processes and machines.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import mul
from zlib import crc32

from ..domain.metrics.interval import interval

GROUPS, RESAMPLES = 500, 400
BINS = 20  # of a scorer's scores, even
LEAST = 10  # labelled answers that a bin must have before it estimates others

COLUMNS = (
    "runs",
    "answered",  # runs whose whole way through the policy is known
    "quality_n",
    "quality",
    "cost_n",
    "cost",  # picodollars, observed
    "planned_n",
    "planned",  # picodollars, as expected of calls that were never made
    "calls",
    "escalations",
    "latency_n",
    "latency",  # microseconds
    "chance_runs",  # runs whose choice was drawn
    "weight",  # inverse propensities of the labelled runs where the policy makes the logged choice
    "weight_squared",
    "weighted_quality",
    "both_n",  # runs whose quality is observed under both policies
    "both_quality",  # this policy's minus the other's
    "both_cost_n",
    "both_cost",
)
AT = {name: index for index, name in enumerate(COLUMNS)}
SCALED = frozenset(("quality", "weight", "weight_squared", "weighted_quality", "both_quality"))  # by SCALE
SCALE = 2**80  # finer than any figure between a millionth and a million has digits
Bin = tuple[str, int]  # a scorer's version, and which twentieth
Figures = dict[str, float]


@dataclass(slots=True)
class Played:
    """What a policy comes to for one run. None: not known."""

    quality: float | None = None  # observed: a label, or the grade in the data
    scored: tuple[str, int] | None = None  # scorer and score, millionths, of an answer that has no label
    cost: int | None = None  # picodollars that its calls cost
    planned: int | None = None  # picodollars expected, where it makes a call that was never made
    calls: int | None = None
    escalations: int = 0
    latency: int | None = None  # microseconds
    propensity: float | None = None  # of the logged choice, where the policy makes the same and chances were logged
    is_drawn: bool = False  # whether the logged choice was drawn


def exact(value: float) -> int:
    """The value times SCALE; what is finer than that is cut off, of each value alone."""
    return int(value * float(SCALE))


def group_of(run: str) -> int:
    """The run's group, the same in every process."""
    return crc32(run.encode()) % GROUPS


def bin_of(score: int) -> int:
    """The twentieth of a score in millionths."""
    return min(BINS - 1, score * BINS // 1_000_000)


@dataclass(slots=True)
class Calibration:
    """How often answers of a scorer's bin were right: what was labelled."""

    seen: dict[int, dict[Bin, list[int]]] = field(default_factory=dict)  # by group and bin: count, sum times SCALE

    def add(self, run: str, scored: tuple[str, int], quality: float) -> None:
        """One labelled answer."""
        bins = self.seen.setdefault(group_of(run), {})
        one = bins.setdefault((scored[0], bin_of(scored[1])), [0, 0])
        one[0] += 1
        one[1] += exact(quality)

    def merge(self, other: Calibration) -> None:
        """The answers of both."""
        for group, bins in other.seen.items():
            mine = self.seen.setdefault(group, {})
            for key, (count, total) in bins.items():
                one = mine.setdefault(key, [0, 0])
                one[0] += count
                one[1] += total

    def usable(self) -> set[Bin]:
        """The bins with enough labels."""
        return {key for key, (count, _) in self.means([1] * GROUPS).items() if count >= LEAST}

    def means(self, times: Sequence[int]) -> dict[Bin, tuple[int, float]]:
        """Count and mean by bin, each group taken so many times."""
        sums: dict[Bin, list[int]] = defaultdict(lambda: [0, 0])
        for group, bins in self.seen.items():
            if times[group]:
                for key, (count, total) in bins.items():
                    sums[key][0] += count * times[group]
                    sums[key][1] += total * times[group]
        return {key: (count, total / (count * SCALE)) for key, (count, total) in sums.items()}


@dataclass(slots=True)
class Tally:
    """One policy's sums."""

    columns: list[list[int]] = field(default_factory=lambda: [[0] * GROUPS for _ in COLUMNS])
    unlabelled: dict[int, dict[Bin, int]] = field(default_factory=dict)  # answers with a score only, by group

    def add(self, run: str, played: Played, other: Played | None = None) -> None:
        """One run, beside what the other policy came to."""
        group, columns = group_of(run), self.columns

        def count(name: str, value: float = 1) -> None:
            columns[AT[name]][group] += exact(value) if name in SCALED else int(value)

        count("runs")
        if played.quality is not None:
            count("quality_n")
            count("quality", played.quality)
        elif played.scored is not None:
            bins = self.unlabelled.setdefault(group, {})
            key = played.scored[0], bin_of(played.scored[1])
            bins[key] = bins.get(key, 0) + 1
        if played.cost is not None:
            count("cost_n")
            count("cost", played.cost)
        elif played.planned is not None:
            count("planned_n")
            count("planned", played.planned)
        if played.calls is not None:
            count("answered")
            count("calls", played.calls)
            count("escalations", played.escalations)
        if played.latency is not None:
            count("latency_n")
            count("latency", played.latency)
        self._add_weights(played, count)
        if other is not None:
            _add_difference(played, other, count)

    def _add_weights(self, played: Played, count: Callable[[str, float], None]) -> None:
        if played.is_drawn:
            count("chance_runs", 1)
        if played.propensity and played.quality is not None:
            weight = 1 / played.propensity
            count("weight", weight)
            count("weight_squared", weight * weight)
            count("weighted_quality", weight * played.quality)

    def merge(self, other: Tally) -> None:
        """The runs of both."""
        self.columns = [
            [one + two for one, two in zip(mine, its, strict=True)]
            for mine, its in zip(self.columns, other.columns, strict=True)
        ]
        for group, bins in other.unlabelled.items():
            mine = self.unlabelled.setdefault(group, {})
            for key, number in bins.items():
                mine[key] = mine.get(key, 0) + number

    def figures(self, calibration: Calibration, times: Sequence[int], usable: set[Bin]) -> Figures:
        """The figures, each group taken so many times; one that nothing is known of is left out."""
        filled = {name: column for name, column in zip(COLUMNS, self.columns, strict=True) if any(column)}
        sums: dict[str, float] = {name: sum(map(mul, column, times)) for name, column in filled.items()}
        of = dict.fromkeys(COLUMNS, 0.0) | {name: one / SCALE if name in SCALED else one for name, one in sums.items()}
        found = {
            "quality": _ratio(of["quality"], of["quality_n"]),
            "usd_per_1000": _ratio(of["cost"] / 1e9, of["cost_n"]),
            "planned_usd_per_1000": _ratio(of["planned"] / 1e9, of["planned_n"]),
            "calls": _ratio(of["calls"], of["answered"]),
            "escalations": _ratio(of["escalations"], of["answered"]),
            "latency": _ratio(of["latency"] / 1e6, of["latency_n"]),
            "ips_quality": _ratio(of["weighted_quality"], of["weight"]),
            "quality_difference": _ratio(of["both_quality"], of["both_n"]),
            "usd_per_1000_difference": _ratio(of["both_cost"] / 1e9, of["both_cost_n"]),
        }
        estimated, count = self._estimated(calibration, times, usable)
        found["estimated_quality"] = _ratio(estimated, count)
        return {name: value for name, value in found.items() if value is not None}

    def _estimated(self, calibration: Calibration, times: Sequence[int], usable: set[Bin]) -> tuple[float, float]:
        """Sum and count of the answers without a label that the calibration knows about."""
        if not usable or not self.unlabelled:
            return 0.0, 0.0
        means, counts = calibration.means(times), Counter[Bin]()
        for group, bins in self.unlabelled.items():
            for key, number in bins.items() if times[group] else ():
                if key in usable and key in means:
                    counts[key] += number * times[group]
        return sum(means[key][1] * counts[key] for key in sorted(counts)), counts.total()

    def counts(self, usable: set[Bin]) -> dict[str, int]:
        """How many runs each figure rests on."""
        of = {name: sum(column) for name, column in zip(COLUMNS, self.columns, strict=True)}
        estimated = sum(n for bins in self.unlabelled.values() for key, n in bins.items() if key in usable)
        squared = sum(self.columns[AT["weight_squared"]])
        weight = sum(self.columns[AT["weight"]])
        return {
            "runs": of["runs"],
            "quality_observed": of["quality_n"],
            "quality_estimated": estimated,
            "quality_unknown": of["runs"] - of["quality_n"] - estimated,
            "cost_observed": of["cost_n"],
            "cost_estimated": of["planned_n"],
            "cost_unknown": of["runs"] - of["cost_n"] - of["planned_n"],
            "drawn": of["chance_runs"],
            "ips_effective": round(weight * weight / (squared * SCALE)) if squared else 0,
            "both": of["both_n"],
        }


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def intervals(tally: Tally, calibration: Calibration, usable: set[Bin]) -> dict[str, Figure]:
    """Every figure that is known; its interval holds the calibration's own error too, which is resampled with it."""
    whole = tally.figures(calibration, [1] * GROUPS, usable)
    drawn: dict[str, list[float]] = {name: [] for name in whole}
    for times in _resamples():
        for name, value in tally.figures(calibration, times, usable).items():
            if name in drawn:
                drawn[name].append(value)
    return {name: _figure(value, drawn[name]) for name, value in whole.items()}


def _resamples() -> Iterator[list[int]]:
    """How often each group is drawn, the same series every time."""
    rng = random.Random(0)
    for _ in range(RESAMPLES):
        times = [0] * GROUPS
        for group in rng.choices(range(GROUPS), k=GROUPS):
            times[group] += 1
        yield times


def _figure(value: float, drawn: Sequence[float]) -> Figure:
    low, high = interval(drawn) or (value, value)
    return Figure(value, low, high)


def _add_difference(played: Played, other: Played, count: Callable[[str, float], None]) -> None:
    if played.quality is not None and other.quality is not None:
        count("both_n", 1)
        count("both_quality", played.quality - other.quality)
    if played.cost is not None and other.cost is not None:
        count("both_cost_n", 1)
        count("both_cost", played.cost - other.cost)


def _ratio(total: float, count: float) -> float | None:
    return total / count if count else None
