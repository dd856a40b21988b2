"""The learned scorer: P(right | request, answer), alone or beside a second model's, and what a stronger one adds.

First the words of question and answer are weighed, then trees read those two values, the features and the model, if it
is one of those trained on; a second answer is scored likewise, and further trees read both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..catalogue import ModelName
from ..errors import InvalidRequest
from ..finish import FinishReason
from . import answer_features as features
from .answer_reading import AnswerReading, read_answer
from .ballot import Ballot
from .cascade import Cascade
from .term_weights import TermWeights
from .trees import Tree, margin, sigmoid

PAIR_NAMES = (
    "trust", "second_trust", "agrees", "is_silent", "second_is_silent", "is_quoted", "skill", "f_letter", "f_number",
    "f_literal", "f_length", "q_options", "q_code", "question_words",
)  # fmt: skip
OTHER_NAMES = (
    "trust", "skill", "other_skill", "question_words", "answer_words", "a_characters", "q_characters", "q_code",
    "q_latex", "f_letter", "f_number", "f_none", "q_numbers", "a_redo", "f_size", "q_options", "q_words", "q_capitals",
    "q_word_length", "o_last_near", "o_number_near", "f_whole", "f_literal", "second_trust", "agrees",
)  # fmt: skip
NO_SECOND = -9.0
_PLACES = {name: place for place, name in enumerate(features.NAMES)}
_IN_PAIR = [_PLACES[name] for name in PAIR_NAMES if name in _PLACES]
_IN_OTHER = [_PLACES[name] for name in OTHER_NAMES if name in _PLACES]


@dataclass(frozen=True, slots=True)
class Scored:
    """An answer with what was found of it."""

    reading: AnswerReading
    values: list[float]  # of the answer's features
    question_words: float
    answer_words: float
    skill: float  # of its model
    trust: float  # the logit of its confidence

    @property
    def form(self) -> str | None:
        """The answer in its normal form."""
        return self.reading.answer.form if self.reading.answer is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedScorer:
    """Weights that were trained on recorded answers."""

    version: str
    models: tuple[ModelName, ...]  # that it was trained on
    skills: Mapping[ModelName, float]  # the logit of a model's share of right answers there
    skill: float  # of a model it does not know
    calibrations: Mapping[ModelName, tuple[float, float]]  # slope and intercept of its logits
    question_terms: TermWeights
    answer_terms: TermWeights
    single: Sequence[Tree]
    pair: Sequence[Tree]
    other: Sequence[Tree]
    ballot: Ballot
    cascades: tuple[Cascade, ...]

    def confidence(
        self,
        question: str,
        answer: str,
        *,
        model: ModelName | None = None,
        finish_reason: FinishReason = FinishReason.STOP,
        second: str | None = None,
    ) -> float:
        """P(right | request, answer), 0..1; `second` is another cheap model's answer to the same prompt.

        Weights that were trained on one model's answers do not read `second`.
        """
        first = self.scored(question, answer, model=model, finish_reason=finish_reason)
        if second is None or not self.pair:
            return sigmoid(first.trust)
        return self._beside(first, self.scored(question, second))

    def gain(
        self,
        question: str,
        answer: str,
        *,
        strong: ModelName,
        model: ModelName | None = None,
        finish_reason: FinishReason = FinishReason.STOP,
        second: str | None = None,
    ) -> float:
        """P(`strong` would be right) - P(this answer is): what a cascade that moves on to `strong` gains, -1..1.

        Raises InvalidRequest where the weights were trained on one model's answers.
        """
        if not self.other:
            raise InvalidRequest(f"{self.version} was trained on one model's answers: it knows no gain of another")
        first = self.scored(question, answer, model=model, finish_reason=finish_reason)
        other = None if second is None else self.scored(question, second)
        right = sigmoid(first.trust) if other is None else self._beside(first, other)
        values = other_values(first, other, self.skills.get(strong, self.skill), self._is_model(strong))
        return sigmoid(margin(self.other, values)) - right

    def cascade(self, weak: ModelName, strong: ModelName, *, second: bool | None = None) -> Cascade | None:
        """The cascade whose thresholds were fixed in training; None for a pair it was not trained for.

        `second` says whether another cheap model answers too. None: the cheapest of those that were as good as the
        strong model on held-out folds, else the one that came closest.
        """
        found = [one for one in self.cascades if (one.weak, one.strong) == (weak, strong)]
        if second is not None:
            return next((one for one in found if (one.second is not None) is second), None)
        return min(found, key=_dearness, default=None)

    def scored(
        self,
        question: str,
        answer: str,
        *,
        model: ModelName | None = None,
        finish_reason: FinishReason = FinishReason.STOP,
    ) -> Scored:
        """The answer by itself; without its model's name as one of an unknown model."""
        reading = read_answer(question, answer, finish_reason)
        values = features.features_of(reading)
        asked = self.question_terms.value(features.question_terms(question))
        said = self.answer_terms.value(features.answer_terms(answer))
        skill = self.skill if model is None else self.skills.get(model, self.skill)
        known = self._is_model(model)
        slope, intercept = (1.0, 0.0) if model is None else self.calibrations.get(model, (1.0, 0.0))
        trust = slope * margin(self.single, [*values, asked, said, skill, *known]) + intercept
        return Scored(reading, values, asked, said, skill, trust)

    def _beside(self, first: Scored, second: Scored) -> float:
        return sigmoid(margin(self.pair, pair_values(first, second)))

    def _is_model(self, model: ModelName | None) -> list[float]:
        return [float(name == model) for name in self.models]


def _dearness(cascade: Cascade) -> tuple[bool, float]:
    """The lowest is the best to use; a cost that is unknown counts as that of always asking the strong model."""
    if not cascade.is_as_good:
        return True, cascade.strong_accuracy - cascade.held_out_accuracy
    return False, 1.0 if cascade.held_out_cost is None else cascade.held_out_cost


def agrees(first: Scored, second: Scored) -> float:
    """1 where both gave the same answer; nothing found is no agreement."""
    return float(first.form is not None and first.form == second.form)


def pair_values(first: Scored, second: Scored) -> list[float]:
    """One number for each of `PAIR_NAMES`."""
    written = first.reading.answer.written if first.reading.answer is not None else ""
    return [
        first.trust,
        second.trust,
        agrees(first, second),
        float(first.form is None),
        float(second.form is None),
        float(bool(written) and written in second.reading.said),
        first.skill,
        *(first.values[place] for place in _IN_PAIR),
        first.question_words,
    ]


def other_values(first: Scored, second: Scored | None, skill: float, is_model: Sequence[float]) -> list[float]:
    """One number for each of `OTHER_NAMES`, and whether the other model is the one, for each trained on."""
    return [
        first.trust,
        first.skill,
        skill,
        first.question_words,
        first.answer_words,
        *(first.values[place] for place in _IN_OTHER),
        NO_SECOND if second is None else second.trust,
        -1.0 if second is None else agrees(first, second),
        *is_model,
    ]
