"""Thresholds of cascades, fixed on held-out gains, and what they come to on folds they were not fixed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from ...domain.catalogue import ModelName
from ...domain.errors import InvalidRequest
from ...domain.learned.cascade import Cascade
from ...domain.learned.scorer import other_values, pair_values
from ...domain.risk_control import controlled
from .answers import FOLDS
from .confidence import ConfidenceLesson
from .forests import Array
from .held_out import firsts

PLACES = 6  # decimals of a figure
GRID = np.linspace(-1, 1, 401)  # gains tried for a guarantee, from the safest on


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """At most `risk` of the prompts are kept from a right answer of the strong model, with `confidence`."""

    risk: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a threshold came to, on folds that it was not fixed on."""

    accuracy: float
    strong_share: float  # of the prompts
    cost: float | None  # as a share of the strong model's alone; None: unknown
    risk: float  # prompts that the strong model alone would have got right, and this did not


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeReport:
    """A cascade, its models' accuracies, and what its thresholds come to on other folds.

    `guaranteed` is None where no guarantee was asked for. A fold for which none is sure asks the strong model always.
    """

    cascade: Cascade
    prompts: int
    weak_accuracy: float
    strong_accuracy: float
    held_out: Kept
    guaranteed: Kept | None


class Course:
    """The prompts that both models of a cascade answered, with the gains of moving on."""

    def __init__(self, lesson: ConfidenceLesson, weak: ModelName, strong: ModelName, second: ModelName | None) -> None:
        if lesson.other is None or lesson.pair is None:
            raise InvalidRequest("a cascade needs answers of two models at least: name them with --models")
        self.models = (weak, strong, second)
        wanted = [model for model in self.models if model is not None]
        found = [{lesson.rows[place].model: place for place in places} for places in lesson.examples]
        chosen = [places for places in found if all(model in places for model in wanted)]
        if not chosen:
            raise InvalidRequest(f"no prompt was answered by all of {', '.join(wanted)}")
        rows = [[lesson.rows[places[model]] for model in wanted] for places in chosen]
        self.folds = np.array([row[0].fold for row in rows])
        self.prompts = [row[0].prompt for row in rows]
        right = np.array([[one.is_right for one in row] for row in rows], dtype=float)
        costs = np.array([[np.nan if one.cost is None else one.cost for one in row] for row in rows])
        self.weak, self.strong = right[:, 0], right[:, 1]
        self._spent, self._strong_cost = costs[:, 0] + (costs[:, 2] if second else 0.0), costs[:, 1]
        self.gains = self._gains(lesson, chosen)

    def _gains(self, lesson: ConfidenceLesson, chosen: Sequence[dict[ModelName, int]]) -> Array:
        weak, strong, second = self.models
        assert lesson.other is not None
        assert lesson.pair is not None
        firsts = [lesson.scored[places[weak]] for places in chosen]
        seconds = [None if second is None else lesson.strangers[places[second]] for places in chosen]
        known, skill = lesson.is_model(strong), lesson.skills[strong]
        asked = [other_values(one, two, skill, known) for one, two in zip(firsts, seconds, strict=True)]
        other = lesson.other.margins(np.array(asked), self.folds)
        if second is None:
            own = np.array([one.trust for one in firsts])
        else:
            pairs = [pair_values(one, two) for one, two in zip(firsts, seconds, strict=True) if two is not None]
            own = lesson.pair.margins(np.array(pairs), self.folds)
        return _probability(other) - _probability(own)

    def threshold(self, among: Array) -> float:
        """The highest gain at which moving on above it still reaches the strong model's accuracy."""
        gains, weak, strong = self.gains[among], self.weak[among], self.strong[among]
        order = np.argsort(-gains, kind="stable")
        reached = np.cumsum((strong - weak)[order]) >= strong.sum() - weak.sum()
        if weak.sum() >= strong.sum():
            return 1.0
        ends = np.append(np.diff(gains[order]) != 0, True)  # equal gains move on together
        place = int(np.argmax(reached & ends))
        last = gains[order][place]
        after = gains[order][place + 1] if place + 1 < len(order) else -1.0
        return round(float((last + after) / 2), 6)

    def guaranteed(self, among: Array, guarantee: Guarantee) -> float | None:
        """The highest gain that keeps the risk; None where none can be shown to. Of equal prompts the first counts."""
        taken = np.flatnonzero(among)[firsts(compress(self.prompts, among))]
        lost = (self.strong[taken] > self.weak[taken]).astype(float)
        sequence = (np.where(self.gains[taken] <= gain, lost, 0.0).tolist() for gain in GRID)
        place = controlled(sequence, risk=guarantee.risk, confidence=guarantee.confidence)
        return None if place is None else round(float(GRID[place]), 6)

    def kept(self, gains: Array) -> Kept:
        """What thresholds come to, one a prompt."""
        moved = self.gains > gains
        cost = (self._spent.sum() + self._strong_cost[moved].sum()) / self._strong_cost.sum()
        return Kept(
            accuracy=float(np.where(moved, self.strong, self.weak).mean()),
            strong_share=float(moved.mean()),
            cost=float(cost) if np.isfinite(cost) else None,
            risk=float(np.mean(~moved & (self.strong > self.weak))),
        )


def fix_cascade(
    lesson: ConfidenceLesson,
    weak: ModelName,
    strong: ModelName,
    second: ModelName | None,
    guarantee: Guarantee | None,
) -> CascadeReport:
    """The thresholds by all prompts, and how those by four folds do on the fifth."""
    course = Course(lesson, weak, strong, second)
    everything = np.ones(len(course.folds), dtype=bool)
    by_fold = [course.threshold(course.folds != fold) for fold in range(FOLDS)]
    safe_by_fold = [
        None if guarantee is None else course.guaranteed(course.folds != fold, guarantee) for fold in range(FOLDS)
    ]
    safe = None if guarantee is None else course.guaranteed(everything, guarantee)
    held_out = course.kept(np.array(by_fold)[course.folds])
    return CascadeReport(
        cascade=Cascade(
            weak=weak,
            strong=strong,
            second=second,
            gain=course.threshold(everything),
            guaranteed_gain=safe,
            held_out_cost=None if held_out.cost is None else round(held_out.cost, PLACES),
            held_out_accuracy=round(held_out.accuracy, PLACES),
            strong_accuracy=round(float(course.strong.mean()), PLACES),
        ),
        prompts=len(course.folds),
        weak_accuracy=float(course.weak.mean()),
        strong_accuracy=float(course.strong.mean()),
        held_out=held_out,
        guaranteed=None
        if guarantee is None
        else course.kept(np.array([-1.0 if one is None else one for one in safe_by_fold])[course.folds]),
    )


def _probability(margins: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-margins)))
