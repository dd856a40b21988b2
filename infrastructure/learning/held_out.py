"""How well confidences do on answers that they were not trained on, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .forests import Array

RESAMPLES = 300
BINS = 10


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and the middle 95 % of its resamples."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Of confidences 0..1 in answers of which `accuracy` are right."""

    answers: int
    accuracy: float
    auroc: Figure
    ece: Figure
    brier: Figure


def quality(confidences: Array, right: Array) -> Quality:
    """The figures over all answers. Both kinds of answers are there."""
    measures: list[Callable[[Array, Array], float]] = [auroc, expected_calibration_error, brier]
    found = [_figure(measure, confidences, right) for measure in measures]
    return Quality(answers=len(right), accuracy=float(right.mean()), auroc=found[0], ece=found[1], brier=found[2])


def auroc(confidences: Array, right: Array) -> float:
    """The chance that a right answer ranks above a wrong one, ties counted half; NaN where all are of one kind."""
    _, place, counts = np.unique(confidences, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    good = right > 0
    some, rest = int(good.sum()), int((~good).sum())
    return float((ranks[good].sum() - some * (some + 1) / 2) / (some * rest)) if some and rest else float("nan")


def expected_calibration_error(confidences: Array, right: Array) -> float:
    """The mean distance of confidence and share of right answers in ten equally wide bins."""
    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    gaps = (abs(float((confidences - right)[bins == one].sum())) for one in range(BINS))
    return sum(gaps) / len(right)


def brier(confidences: Array, right: Array) -> float:
    """The mean squared distance."""
    return float(np.mean((confidences - right) ** 2))


def _figure(measure: Callable[[Array, Array], float], confidences: Array, right: Array) -> Figure:
    chance = np.random.default_rng(0)
    draws = (chance.integers(0, len(right), len(right)) for _ in range(RESAMPLES))
    values = np.array([measure(confidences[drawn], right[drawn]) for drawn in draws])
    low, high = np.percentile(values[np.isfinite(values)], [2.5, 97.5])
    return Figure(measure(confidences, right), float(low), float(high))
