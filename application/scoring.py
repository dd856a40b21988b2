"""Who says how far an answer can be trusted, as a function of the answer: the heuristic scorer, and those learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..domain.catalogue import ModelName
from ..domain.confidence import SCORER, Confidence, ConfidenceDetector
from ..domain.events import Escalated, RunEvent
from ..domain.request import Request
from ..domain.run import Run
from .ports import Answer


@dataclass(frozen=True, slots=True)
class TextScorer:
    """A scorer that asks nobody. `version` is its name as events have it; `score` is pure.

    It is given the request, the answer, the model, and the answer that the chain left behind before, if any.
    """

    version: str
    score: Callable[[Request, Answer, ModelName, str | None], Confidence]


def heuristic_confidence(request: Request, answer: Answer) -> Confidence:
    """By what the answer says, the question, the form asked for, and token probabilities where there are any."""
    return ConfidenceDetector().score(
        answer.text,
        finish_reason=answer.finish_reason,
        question=request.prompt,
        response_format=request.parameters.response_format,
        logprobs=answer.logprobs,
    )


HEURISTIC = TextScorer(SCORER, lambda request, answer, model, second: heuristic_confidence(request, answer))


class LeftBehind:
    """The latest answer that a chain did not trust, as its events come by."""

    def __init__(self, run: Run, answers: Mapping[int, Answer]) -> None:
        self._texts = {one.model: answers[one.number].text for one in run.attempts if one.number in answers}
        self.text: str | None = None

    def see(self, event: RunEvent) -> None:
        """Take in the run's next event."""
        if isinstance(event, Escalated) and event.confidence is not None:
            self.text = self._texts.get(event.from_model, self.text)
