"""Figures of what was held out, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...domain.metrics.calibration import Calibration
from ...domain.metrics.discrimination import auroc
from ...domain.metrics.interval import interval
from ...domain.metrics.ranking import Ranking, mean
from .forests import Array

RESAMPLES = 300

Measure = Callable[[Sequence[int] | None], float]  # of the rows, each counted so often


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and the middle 95 % of its resamples."""

    value: float
    low: float
    high: float


def figure(measure: Measure, count: int) -> Figure:
    """Of so many rows; NaN bounds where no resample has the figure."""
    chance = np.random.default_rng(0)
    drawn = (np.bincount(chance.integers(0, count, count), minlength=count) for _ in range(RESAMPLES))
    low, high = interval(measure(counts.tolist()) for counts in drawn) or (float("nan"), float("nan"))
    return Figure(measure(None), low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Of confidences 0..1 in answers of which `accuracy` are right."""

    answers: int
    accuracy: float
    auroc: Figure
    ece: Figure
    brier: Figure


def quality(confidences: Array, right: Sequence[bool]) -> Quality:
    """The figures over all answers. Both kinds of answers are there."""
    said, count = confidences.tolist(), len(right)
    calibration = Calibration(said, right)
    return Quality(
        answers=count,
        accuracy=mean(right),
        auroc=figure(partial(auroc, Ranking(said), right), count),
        ece=figure(calibration.expected_error, count),
        brier=figure(calibration.brier, count),
    )


def repeated(prompts: Iterable[str]) -> int:
    """How many prompts stand there more than once."""
    once, again = set[str](), set[str]()
    for prompt in prompts:
        (again if prompt in once else once).add(prompt)
    return len(again)


def firsts(prompts: Iterable[str]) -> list[int]:
    """Where each different prompt stands first: bounds on losses take independent ones, and equal prompts' are not."""
    places: dict[str, int] = {}
    for place, prompt in enumerate(prompts):
        places.setdefault(prompt, place)
    return list(places.values())
