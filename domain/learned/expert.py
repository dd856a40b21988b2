"""What one data set taught: how likely each of its models is right, and how much better one of them is than another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any

from ..catalogue import ModelName
from ..difficulty import PLACES
from .features import NAMES
from .linear import LinearScores, Scores, dot

LEAST = 0.02  # a share of right answers is kept this far from 0 and 1 before its odds are taken
FARTHEST = 4.0  # standard deviations
SIZES = (NAMES.index("characters"), NAMES.index("words"))


@dataclass(frozen=True, slots=True)
class Head:
    """A logistic regression on an outlook, and on its products with its first figure."""

    bias: float
    weights: Sequence[float]
    products: Sequence[float]

    def probability(self, outlook: Sequence[float]) -> float:
        """Of a right answer."""
        first = outlook[0]
        logit = self.bias + dot(self.weights, outlook) + first * dot(self.products, outlook)
        return 1 / (1 + exp(-logit)) if logit > -700 else 0.0


@dataclass(frozen=True, slots=True)
class Scale:
    """Brings figures to mean 0 and deviation 1 of the training prompts."""

    centers: Sequence[float]
    scales: Sequence[float]

    def apply(self, figures: Sequence[float]) -> list[float]:
        """The figures, standardised and clipped."""
        return [
            min(FARTHEST, max(-FARTHEST, (figure - center) / scale))
            for figure, center, scale in zip(figures, self.centers, self.scales, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Single:
    """One model's head."""

    scale: Scale
    head: Head


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models' heads on one outlook, and how their difference is blended with what is known without them."""

    scale: Scale
    weak: Head
    strong: Head
    blend: Sequence[float]  # constant, difference of the heads, linear gain, gain of the kind, plain difficulty


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an expert's linear scores say of one prompt: each model's share of right answers, and its kind."""

    shares: Mapping[ModelName, float]
    difficulty: float  # log odds of the mean share
    split: float  # by how much the better half of the models is ahead
    kinds: Sequence[float]
    sizes: Sequence[float]
    plain: float  # the difficulty that nothing was fitted for

    def figures(self, first: float) -> list[float]:
        """What a head reads; `first` is the model's own share as log odds, or the pair's gain."""
        return [self.difficulty, first, *self.kinds, self.split, *self.sizes]


class Expert:
    """Made of a dict of weights; its scores are places in the linear scores beside it."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        self.name: str = weights["name"]
        self.gate: int = weights["gate"]
        self._shares: dict[ModelName, int] = weights["shares"]
        self._kinds: list[int] = weights["kinds"]
        self._loadings: dict[ModelName, list[float]] = weights["loadings"]
        self._better = frozenset(weights["better"])
        self._singles = {model: Single(_scale(one), _head(one["head"])) for model, one in weights["models"].items()}
        self._pairs = {
            (one["weak"], one["strong"]): Pair(
                _scale(one), _head(one["heads"][0]), _head(one["heads"][1]), one["blend"]
            )
            for one in weights["pairs"]
        }

    @property
    def models(self) -> tuple[ModelName, ...]:
        """Those of the data set."""
        return tuple(self._singles)

    def place_of(self, model: ModelName) -> int:
        """Of a model's share of right answers in the linear scores."""
        return self._shares[model]

    def look(self, linear: LinearScores, scores: Scores) -> Outlook:
        """At a prompt."""
        shares = {model: linear.score(scores, place) for model, place in self._shares.items()}
        mean = sum(shares.values()) / len(shares)
        better = sum(share for model, share in shares.items() if model in self._better)
        worse = mean * len(shares) - better
        return Outlook(
            shares=shares,
            difficulty=log_odds(mean),
            split=better / len(self._better) - worse / (len(shares) - len(self._better) or 1),
            kinds=[linear.score(scores, place) for place in self._kinds],
            sizes=[scores.form[place] for place in SIZES],
            plain=sum(points * linear.value(scores, place) for place, points in PLACES),
        )

    def success(self, outlook: Outlook, model: ModelName) -> float:
        """P(right) of one of its models."""
        single = self._singles[model]
        return single.head.probability(single.scale.apply(outlook.figures(log_odds(outlook.shares[model]))))

    def gain(self, outlook: Outlook, weak: ModelName, strong: ModelName) -> float:
        """By how much the strong model's expected grade is higher."""
        if (strong, weak) in self._pairs:
            return -self.gain(outlook, strong, weak)
        pair = self._pairs.get((weak, strong))
        if pair is None:
            return self.success(outlook, strong) - self.success(outlook, weak)
        linear = outlook.shares[strong] - outlook.shares[weak]
        figures = pair.scale.apply(outlook.figures(linear))
        heads = pair.strong.probability(figures) - pair.weak.probability(figures)
        kind = self._of_kind(outlook, strong) - self._of_kind(outlook, weak)
        constant, *parts = pair.blend
        return constant + dot(parts, (heads, linear, kind, outlook.plain))

    def _of_kind(self, outlook: Outlook, model: ModelName) -> float:
        return dot(self._loadings[model], outlook.kinds)


def log_odds(share: float) -> float:
    """Of a share of right answers, kept off 0 and 1."""
    kept = min(1 - LEAST, max(LEAST, share))
    return log(kept / (1 - kept))


def _scale(weights: Mapping[str, Any]) -> Scale:
    return Scale(weights["centers"], weights["scales"])


def _head(weights: Mapping[str, Any]) -> Head:
    return Head(weights["bias"], weights["weights"], weights["products"])
