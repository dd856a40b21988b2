"""What an evaluation asks of a policy: nothing but texts and models' names reach it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Protocol

from ...domain.catalogue import ModelName
from ...domain.confidence import SCORER, ConfidenceDetector
from ...domain.difficulty import difficulty
from ...domain.errors import InvalidRequest
from ...domain.finish import FinishReason
from ...domain.units import fraction


class RoutingPolicy(Protocol):
    """Says before any call how much a prompt needs the stronger of two models."""

    @property
    def version(self) -> str:
        """Its name and version."""

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


class AnswerScorer(Protocol):
    """Says how likely an answer is right."""

    @property
    def version(self) -> str:
        """Its name and version."""

    def confidence(
        self,
        question: str,
        answer: str,
        *,
        model: ModelName | None = None,
        finish_reason: FinishReason = FinishReason.STOP,
        second: str | None = None,
    ) -> float:
        """The probability 0..1; `second` is another cheap model's answer to the same question."""


class HeuristicRouting:
    """The untrained difficulty of a prompt; it knows no models."""

    version = "heuristic"

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
