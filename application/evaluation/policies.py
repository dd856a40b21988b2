"""What an evaluation asks of a policy: nothing but texts and models' names reach it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from ...domain.catalogue import ModelName
from ...domain.confidence import SCORER, ConfidenceDetector
from ...domain.difficulty import difficulty
from ...domain.errors import InvalidRequest
from ...domain.finish import FinishReason
from ...domain.scorers import AnswerScorer
from ...domain.units import fraction


class RoutingPolicy(Protocol):
    """Says before any call how much a prompt needs the stronger of two models."""

    @property
    def version(self) -> str:
        """Its name and version."""

    @property
    def thresholds(self) -> Mapping[tuple[ModelName, ModelName], float | None]:
        """Of pairs trained with a guarantee, the need from which it asks the strong model; None: it always does."""

    def need(self, prompt: str, weak: ModelName, strong: ModelName) -> float:
        """Higher: needs the strong model."""


class SuccessPolicy(Protocol):
    """Says before any call how likely each model is to be right."""

    @property
    def version(self) -> str:
        """Its name and version."""

    @property
    def models(self) -> tuple[ModelName, ...]:
        """Those it knows."""

    def success(self, prompt: str) -> Mapping[ModelName, float]:
        """The probability 0..1 of each model that it knows."""


class FixedCascade(Protocol):
    """A cascade whose threshold was fixed in training."""

    @property
    def second(self) -> ModelName | None:
        """The other cheap model that it asks for every prompt."""

    @property
    def gain(self) -> float:
        """The strong model is asked where more is expected of it."""

    @property
    def guaranteed_gain(self) -> float | None:
        """Likewise, within the risk of a guarantee; None: it has none."""


@runtime_checkable
class CascadeScorer(AnswerScorer, Protocol):
    """A scorer that knows the strong models too."""

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
        """How much likelier the strong model is to be right than this answer, -1..1."""

    def cascade(self, weak: ModelName, strong: ModelName, *, second: bool | None = None) -> FixedCascade | None:
        """The one that was trained for this pair, with a second answer or without, or the best; None: there is none."""


class HeuristicRouting:
    """The untrained difficulty of a prompt; it knows no models."""

    version = "heuristic"
    thresholds: Mapping[tuple[ModelName, ModelName], float | None] = MappingProxyType({})

    def need(self, prompt: str, weak: ModelName, strong: ModelName) -> float:
        """The same for every pair."""
        return difficulty(prompt)


class HeuristicScorer:
    """The built-in signals of an answer; a second answer is not read."""

    version = SCORER

    def confidence(
        self,
        question: str,
        answer: str,
        *,
        model: ModelName | None = None,
        finish_reason: FinishReason = FinishReason.STOP,
        second: str | None = None,
    ) -> float:
        """The probability 0..1."""
        return fraction(ConfidenceDetector().score(answer, finish_reason=finish_reason, question=question).score)


def checked(version: str, figures: Iterable[float]) -> list[float]:
    """The figures of a policy, one a prompt. Raises InvalidRequest for one that is no number."""
    found = list(figures)
    for place, figure in enumerate(found, start=1):
        if not isfinite(figure):
            raise InvalidRequest(f"policy {version} gave {figure} for prompt {place}: expected a number")
    return found
