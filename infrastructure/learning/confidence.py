"""Trains the weights of a LearnedScorer, and keeps what it says of answers it was not trained on.

Every value that a later stage is trained on comes from models that saw no answer to the same prompt: the words' from
four of the five folds, the trees' likewise. So what is reported is held out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import numpy as np

from ...domain.catalogue import ModelName
from ...domain.learned.panel_features import Voter, panel_features
from ...domain.learned.scorer import Scored, other_values, pair_values
from ...domain.learned.scorer_weights import FEATURES
from ...domain.learned.term_weights import TermWeights
from ...domain.learned.trees import logit, sigmoid
from .answers import FOLDS, Row
from .forests import Array, Forest, Growth
from .platt import platt
from .word_values import Words

QUESTION = Words(least=8, penalty=3.0)
ANSWER = Words(least=40, penalty=30.0)
SINGLE = Growth(rounds=400, rate=0.03, leaves=31, share=0.2, least=40)
PAIR = Growth(rounds=300, rate=0.05, leaves=8, share=0.7, least=60)
OTHER = Growth(rounds=300, rate=0.05, leaves=16, share=0.5, least=60)
BALLOT = Growth(rounds=300, rate=0.05, leaves=8, share=0.6, least=80)
STRANGERS = 5  # one row in so many is taught without its model's name
SECONDS = 4  # other answers that each is put beside
PANELS = 24  # of each prompt, of two to five members
MOST = 4.0  # answers to a question that count for its words' weight

Key = tuple[int, ModelName]  # a row, by its example and model


@dataclass(frozen=True, slots=True)
class Stage:
    """Trees for each fold, grown without it, and those of all rows."""

    held_out: Sequence[Forest]
    all: Forest

    def margins(self, values: Array, folds: Array) -> Array:
        """The logit of each row by the trees that did not see its fold."""
        found = np.zeros(len(values))
        for fold, forest in enumerate(self.held_out):
            if np.any(folds == fold):
                found[folds == fold] = forest.margins(values[folds == fold])
        return found


class ConfidenceLesson:
    """What rows of answers teach; `scored` and `strangers` are held-out readings, by row."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.models = sorted({row.model for row in rows})
        self._place = {model: place for place, model in enumerate(self.models)}
        self._right = np.array([row.is_right for row in rows], dtype=float)
        self._folds = np.array([row.fold for row in rows])
        self._model = np.array([self._place[row.model] for row in rows])
        shares = [float(self._right[self._model == place].mean()) for place in range(len(self.models))]
        self.skills = {model: round(logit(share), 4) for model, share in zip(self.models, shares, strict=True)}
        self.skill = round(float(np.mean(list(self.skills.values()))), 4)
        self._shares = np.array(shares)
        self._words = cache(self._fit_words)
        self._single()
        self.examples = self._by_example()
        self.pair = self._stage(PAIR, *self._pairs())
        self.other = self._stage(OTHER, *self._others())
        self.ballot = self._stage(BALLOT, *self._panels())

    def weights(self, cascades: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """As `scorer_of` takes them."""
        question, said = self._words(frozenset())
        stages = {"pair": self.pair, "other": self.other, "ballot": self.ballot}
        return {
            "features": FEATURES,
            "skills": self.skills,
            "skill": self.skill,
            "calibrations": self.calibrations,
            "question_terms": {"weights": question.weights, "bias": question.bias},
            "answer_terms": {"weights": said.weights, "bias": said.bias},
            "single": self.single.all.trees(),
            **{name: [] if stage is None else stage.all.trees() for name, stage in stages.items()},
            "cascades": list(cascades),
        }

    def is_model(self, model: ModelName) -> list[float]:
        """1 at the model's place."""
        return [float(name == model) for name in self.models]

    def _single(self) -> None:
        """The trees that read one answer, and each answer's trust by those that did not see its fold."""
        values = np.array([row.values for row in self.rows])
        known = np.c_[np.array([self.skills[row.model] for row in self.rows]), np.eye(len(self.models))[self._model]]
        unknown = np.zeros_like(known)
        unknown[:, 0] = self.skill
        masked = np.array([(row.example + place) % STRANGERS == 0 for row, place in self._placed()])
        taught = np.where(masked[:, None], unknown, known)
        trust, stranger = np.zeros(len(self.rows)), np.zeros(len(self.rows))
        forests = []
        for fold in range(FOLDS):
            words = self._word_values(fold)
            held, rest = self._folds == fold, self._folds != fold
            forest = Forest(np.c_[values, words, taught][rest], self._right[rest], SINGLE)
            trust[held] = forest.margins(np.c_[values, words, known][held])
            stranger[held] = forest.margins(np.c_[values, words, unknown][held])
            forests.append(forest)
        trust = self._calibrated(trust)
        words = self._word_values(None)
        self.single = Stage(forests, Forest(np.c_[values, words, taught], self._right, SINGLE))
        pairs = list(zip(self.rows, words.tolist(), trust.tolist(), stranger.tolist(), strict=True))
        self.scored = [
            Scored(row.reading, row.values, asked, said, self.skills[row.model], own)
            for row, (asked, said), own, _ in pairs
        ]
        self.strangers = [
            Scored(row.reading, row.values, asked, said, self.skill, other) for row, (asked, said), _, other in pairs
        ]

    def _calibrated(self, trust: Array) -> Array:
        """The logits after each model's own slope and intercept (Platt), for each fold by the others."""
        self.calibrations: dict[ModelName, tuple[float, float]] = {}
        found = trust.copy()
        for model, place in self._place.items():
            own = self._model == place
            self.calibrations[model] = platt(trust[own], self._right[own])
            for fold in range(FOLDS):
                rest, held = own & (self._folds != fold), own & (self._folds == fold)
                slope, intercept = platt(trust[rest], self._right[rest])
                found[held] = slope * trust[held] + intercept
        return found

    def _placed(self) -> Iterator[tuple[Row, int]]:
        return zip(self.rows, self._model.tolist(), strict=True)

    def _word_values(self, fold: int | None) -> Array:
        """Both words' values of each row, by weights that saw neither its own fold nor `fold`."""
        found = np.zeros((len(self.rows), 2))
        for own in range(FOLDS):
            question, said = self._words(frozenset({own} if fold is None else {own, fold}))
            asked: dict[int, float] = {}
            for place in np.flatnonzero(self._folds == own).tolist():
                row = self.rows[place]
                if row.example not in asked:
                    asked[row.example] = question.value(row.question)
                found[place] = asked[row.example], said.value(row.said)
        return found

    def _fit_words(self, without: frozenset[int]) -> tuple[TermWeights, TermWeights]:
        """Weights of the questions' and the answers' terms: what they add to each model's share of right answers."""
        places = [place for place, row in enumerate(self.rows) if row.fold not in without]
        beyond = self._right - self._shares[self._model]
        of_example: dict[int, list[int]] = {}
        for place in places:
            of_example.setdefault(self.rows[place].example, []).append(place)
        means = np.array([beyond[found].mean() for found in of_example.values()])
        counts = np.array([min(len(found), MOST) for found in of_example.values()])
        question = QUESTION.fit([self.rows[found[0]].question for found in of_example.values()], means, counts)
        said = ANSWER.fit([self.rows[place].said for place in places], beyond[places], np.ones(len(places)))
        return question, said

    def _by_example(self) -> list[list[int]]:
        found: dict[int, list[int]] = {}
        for place, row in enumerate(self.rows):
            found.setdefault(row.example, []).append(place)
        return [places for places in found.values() if len(places) > 1]

    def _first(self, place: int) -> Scored:
        """An answer as the one in question: now and then of a model without a name."""
        row = self.rows[place]
        is_stranger = (row.example + self._place[row.model]) % STRANGERS == 0
        return (self.strangers if is_stranger else self.scored)[place]

    def _pairs(self) -> tuple[list[list[float]], list[bool], list[int]]:
        """An answer beside another, right or not."""
        draw, values, right, folds = Random(0), [], [], []
        for places in self.examples:
            for first in places:
                others = [place for place in places if place != first]
                for second in draw.sample(others, min(SECONDS, len(others))):
                    values.append(pair_values(self._first(first), self.strangers[second]))
                    right.append(self.rows[first].is_right)
                    folds.append(self.rows[first].fold)
        return values, right, folds

    def _others(self) -> tuple[list[list[float]], list[bool], list[int]]:
        """An answer, with or without another, and whether some other model is right; of many models half the pairs."""
        draw, values, right, folds = Random(1), [], [], []
        for places in self.examples:
            for first in places:
                for other in places:
                    if other == first or (len(places) > 4 and draw.random() < 0.5):
                        continue
                    rest = [place for place in places if place not in (first, other)]
                    second = draw.choice(rest) if rest and draw.random() < 0.6 else None
                    beside = None if second is None else self.strangers[second]
                    model = self.rows[other].model
                    values.append(other_values(self._first(first), beside, self.skills[model], self.is_model(model)))
                    right.append(self.rows[other].is_right)
                    folds.append(self.rows[first].fold)
        return values, right, folds

    def _panels(self) -> tuple[list[list[float]], list[bool], list[int]]:
        """Each answer of a panel that does not agree, right or not."""
        draw, values, right, folds = Random(2), [], [], []
        for places in self.examples:
            for _ in range(PANELS if len(places) > 2 else 1):
                panel = draw.sample(places, draw.randint(2, min(5, len(places))))
                voters = [self.voter(place, is_stranger=draw.random() < 1 / STRANGERS) for place in panel]
                found = self.answers(panel, voters)
                if len(found) < 2:
                    continue
                for form, features in found.items():
                    given = [place for place, one in zip(panel, voters, strict=True) if one.form == form]
                    values.append(features)
                    right.append(any(self.rows[place].is_right for place in given))
                    folds.append(self.rows[given[0]].fold)
        return values, right, folds

    def voter(self, place: int, *, is_stranger: bool = False) -> Voter:
        """A row as a member of a panel."""
        scored = self.strangers[place] if is_stranger else self.scored[place]
        return Voter(scored.form, logit(sigmoid(scored.trust)), scored.skill)

    def answers(self, panel: Sequence[int], voters: Sequence[Voter]) -> Mapping[str, list[float]]:
        """The features of each answer of a panel."""
        reading = self.rows[panel[0]].reading
        return panel_features(voters, reading.is_code, len(reading.options))

    def _stage(self, growth: Growth, values: list[list[float]], right: list[bool], folds: list[int]) -> Stage | None:
        """Trees by fold and of all; None where there is nothing to learn from."""
        if len(set(right)) < 2:
            return None
        rows, labels, places = np.array(values), np.array(right, dtype=float), np.array(folds)
        held = [Forest(rows[places != fold], labels[places != fold], growth) for fold in range(FOLDS)]
        return Stage(held, Forest(rows, labels, growth))
