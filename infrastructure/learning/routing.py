"""Trains the weights of a LearnedRouter from tables of recorded outcomes. The same tables give the same weights.

Each table teaches linear scores (the share of right answers of each model; the kind of prompt, by the mean grades of
its task) and, on scores of prompts they were not fitted on, small logistic regressions for each model and pair.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations, compress
from typing import Any

import numpy as np

from ...domain.catalogue import ModelName
from ...domain.dataset import RIGHT
from ...domain.difficulty import PLACES
from ...domain.learned.expert import FARTHEST, LEAST, SIZES
from .tables import Table
from .texts import Array, Corpus, Fitted, Texts, digits, ridge

FOLDS = 5
KINDS = 5  # scores that tell kinds of prompts apart, at most
PRIOR = 5  # prompts' worth of the overall mean that a task's mean is drawn to
PENALTY = 10.0  # on the squared weights of the logistic regressions
STEPS = 50
TRUST = 250  # prompts: with so many, plain difficulty counts as much as what was learned; with more, less
SHARE = 0.5  # of the linear gains beside the regressions' difference, each in deviations


def train_routing(tables: Sequence[Table], corpus: Corpus | None = None) -> dict[str, Any]:
    """The weights, as LearnedRouter takes them."""
    corpus = corpus or Corpus([prompt for table in tables for prompt in table.prompts])
    rows = [corpus.places(table.prompts) for table in tables]
    everywhere = np.unique(np.concatenate(rows))
    texts = Texts(corpus, everywhere)
    member = np.array([np.isin(everywhere, places) for places in rows], dtype=float).T
    parts, experts = [ridge(texts.matrix[everywhere], member)], []
    for gate, (table, places) in enumerate(zip(tables, rows, strict=True)):
        lesson = Lesson(table, texts, places)
        experts.append(lesson.expert(gate, start=sum(part.means.size for part in parts)))
        parts.append(lesson.fitted)
    return {"linear": texts.weights(Fitted.joined(parts)), "experts": experts}


class Lesson:
    """What one table teaches."""

    def __init__(self, table: Table, texts: Texts, places: Array) -> None:
        self.table = table
        self._grades = np.array(table.grades)
        self._sizes = texts.forms[places][:, SIZES]
        self._plain = sum(
            points * (texts.centers[place] + texts.scales[place] * texts.forms[places][:, place])
            for place, points in PLACES
        )
        matrix = texts.matrix[places]
        everyone = np.ones(len(places), dtype=bool)
        self._basis = self._kinds_of(everyone)
        self.fitted = ridge(matrix, self._targets(everyone))
        self._unseen = self._cross_fitted(matrix)
        order = np.argsort(self._grades.mean(0), kind="stable")
        self._better = sorted(int(place) for place in order[len(order) // 2 :])

    def expert(self, gate: int, start: int) -> dict[str, Any]:
        """The expert's weights, whose scores begin at `start`."""
        models = self.table.models
        own = len(models)
        return {
            "name": self.table.name,
            "gate": gate,
            "shares": {model: start + place for place, model in enumerate(models)},
            "kinds": list(range(start + own, start + own + len(self._basis))),
            "loadings": {model: digits(self._basis[:, place]).tolist() for place, model in enumerate(models)},
            "better": [models[place] for place in self._better],
            "models": {model: self._single(place) for place, model in enumerate(models)},
            "pairs": [self._pair(*pair) for pair in self._pairs()],
        }

    def _targets(self, rows: Array) -> Array:
        """Grades and kinds, where a task's mean grades are those of `rows`."""
        return np.hstack([self._grades, (self._task_means(rows) - self._grades[rows].mean(0)) @ self._basis.T])

    def _task_means(self, rows: Array) -> Array:
        """Each prompt's mean grades of its task, drawn to the mean of all."""
        whole = self._grades[rows].mean(0)
        sums: dict[str | None, Array] = defaultdict(lambda: PRIOR * whole)
        counts: dict[str | None, int] = defaultdict(lambda: PRIOR)
        for task, grades in compress(zip(self.table.tasks, self._grades, strict=True), rows):
            sums[task] = sums[task] + grades
            counts[task] += 1
        return np.array([sums[task] / counts[task] for task in self.table.tasks])

    def _kinds_of(self, rows: Array) -> Array:
        """The directions in which tasks differ most, the plainest first; none where there is one task."""
        count = min(KINDS, len(self.table.models), len(set(self.table.tasks)) - 1)
        means = self._task_means(rows)
        directions = np.linalg.svd(means - means.mean(0), full_matrices=False)[2][:count]
        return np.array([one if one[np.abs(one).argmax()] > 0 else -one for one in directions]).reshape(
            -1, len(self.table.models)
        )

    def _cross_fitted(self, matrix: Array) -> Array:
        """Scores of each prompt from the other folds."""
        scores = np.zeros((len(self._grades), self.fitted.means.size))
        fold = np.array([fold_of(prompt, FOLDS, "inner") for prompt in self.table.prompts])
        for number in range(FOLDS):
            rest, held = fold != number, fold == number
            scores[held] = ridge(matrix[rest], self._targets(rest)[rest]).of(matrix[held])
        return scores

    def _outlook(self, first: Array) -> Array:
        """As Outlook.figures says, a row a prompt."""
        own = len(self.table.models)
        shares, kinds = self._unseen[:, :own], self._unseen[:, own:]
        worse = [place for place in range(own) if place not in self._better]
        split = shares[:, self._better].mean(1) - (shares[:, worse].mean(1) if worse else 0.0)
        return np.column_stack([_log_odds(shares.mean(1)), first, kinds, split, self._sizes])

    def _single(self, model: int) -> dict[str, Any]:
        scale, figures = _scaled(self._outlook(_log_odds(self._unseen[:, model])))
        return scale | {"head": _head(figures, self._grades[:, model])[0]}

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """Every two models, the one with the lower mean grade first."""
        order = [int(place) for place in np.argsort(self._grades.mean(0), kind="stable")]
        yield from combinations(order, 2)

    def _pair(self, weak: int, strong: int) -> dict[str, Any]:
        linear = self._unseen[:, strong] - self._unseen[:, weak]
        kinds = self._unseen[:, len(self.table.models) :]
        kind = kinds @ (self._basis[:, strong] - self._basis[:, weak])
        scale, figures = _scaled(self._outlook(linear))
        heads, right = zip(*(_head(figures, self._grades[:, model]) for model in (weak, strong)), strict=True)
        blend = _blend(right[1] - right[0], linear, kind, self._plain, self._grades[:, strong] - self._grades[:, weak])
        names: dict[str, ModelName] = {"weak": self.table.models[weak], "strong": self.table.models[strong]}
        return scale | names | {"heads": list(heads), "blend": blend}


def fold_of(prompt: str, folds: int, seed: str) -> int:
    """The prompt's fold: the same prompt is always in one."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{prompt}".encode(errors="replace")).digest()[:8], "big") % folds


def _scaled(figures: Array) -> tuple[dict[str, Any], Array]:
    centers, scales = digits(figures.mean(0)), digits(figures.std(0))
    scales[scales < 1e-9] = 1.0
    standard = np.clip((figures - centers) / scales, -FARTHEST, FARTHEST)
    return {"centers": centers.tolist(), "scales": scales.tolist()}, standard


def _head(figures: Array, grades: Array) -> tuple[dict[str, Any], Array]:
    """The head's weights, and its probabilities."""
    right = grades >= RIGHT
    both = np.hstack([figures, figures[:, :1] * figures])
    if right.all() or not right.any():  # possible in a fold
        share = (right.sum() + 1) / (len(right) + 2)
        found, bias = np.zeros(both.shape[1]), float(np.log(share / (1 - share)))
    else:
        found, bias = _logistic(both, right.astype(float))
    bias = float(digits(bias))
    half = figures.shape[1]
    weights = {"bias": bias, "weights": found[:half].tolist(), "products": found[half:].tolist()}
    return weights, 1 / (1 + np.exp(-(both @ found + bias)))


def _logistic(figures: Array, right: Array) -> tuple[Array, float]:
    """Weights and bias of a logistic regression, by Newton's method."""
    rows = np.column_stack([figures, np.ones(len(figures))])
    penalty = np.array([PENALTY] * figures.shape[1] + [0.0])
    found = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-(rows @ found)))
        slope = rows.T @ (right - chance) - penalty * found
        if np.abs(slope).max() < 1e-8 * len(rows):
            break
        found = found + np.linalg.solve((rows.T * (chance * (1 - chance) + 1e-9)) @ rows + np.diag(penalty), slope)
    return digits(found[:-1]), float(found[-1])


def _blend(heads: Array, linear: Array, kind: Array, plain: Array, gains: Array) -> list[float]:
    """Constant and weights, such that the blend is the expected gain."""
    by_kind = SHARE if kind.std() > 1e-9 else 0.0
    parts = np.column_stack([heads, linear, kind, plain])
    weights = np.array([1.0, 2 * SHARE - by_kind, by_kind, 0.0]) / np.maximum(parts.std(0), 1e-9)
    weights[-1] = min(1.0, TRUST / len(gains)) * (parts @ weights).std() / max(plain.std(), 1e-9)
    blended = parts @ weights
    spread = blended.var()
    slope = max(1e-3, float(np.cov(blended, gains, bias=True)[0, 1] / spread)) if spread else 0.0
    constant = gains.mean() - slope * blended.mean()
    return [float(value) for value in digits(np.array([constant, *(slope * weights)]))]


def _log_odds(shares: Array) -> Array:
    kept = np.clip(shares, LEAST, 1 - LEAST)
    return np.log(kept / (1 - kept))
