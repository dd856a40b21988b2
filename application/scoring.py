"""Who says how far an answer can be trusted, as a function of the answer: the heuristic scorer, and those learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..domain.catalogue import ModelName
from ..domain.confidence import SCORER, Confidence, ConfidenceDetector
from ..domain.request import Request
from .ports import Answer


@dataclass(frozen=True, slots=True)
class AnswerScorer:
    """A scorer that asks nobody. `version` is its name as events have it; `score` is pure."""

    version: str
    score: Callable[[Request, Answer, ModelName], Confidence]


def heuristic_confidence(request: Request, answer: Answer) -> Confidence:
    """By what the answer says, the question, the form asked for, and token probabilities where there are any."""
    return ConfidenceDetector().score(
        answer.text,
        finish_reason=answer.finish_reason,
        question=request.prompt,
        response_format=request.parameters.response_format,
        logprobs=answer.logprobs,
    )


HEURISTIC = AnswerScorer(SCORER, lambda request, answer, model: heuristic_confidence(request, answer))
