"""The scorers: who says how far an answer can be trusted, by name and version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .catalogue import ModelName
from .confidence import SCORER
from .finish import FinishReason

if TYPE_CHECKING:
    from .learned.ballot import Ballot

JUDGE = "judge:"
LEARNED = "learned"


class AnswerScorer(Protocol):
    """Weights that say how likely an answer is right."""

    @property
    def version(self) -> str:
        """Tells the weights from all others; such as learned-3f9a12cd."""
        ...

    def confidence(
        self,
        question: str,
        answer: str,
        *,
        model: ModelName | None = None,
        finish_reason: FinishReason = FinishReason.STOP,
        second: str | None = None,
    ) -> float:
        """P(right | request, answer), 0..1; `second` is another model's answer to the same prompt."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """A scorer as a run names it, and as its answers' confidence is recorded."""

    name: str
    version: str  # of its rule; a judge is as its model is
    reads: str
    costs: str
    is_default: bool = False


SCORERS = (
    Scorer(
        name=SCORER,
        version="1",
        reads="the answer, the question, the form asked for, token probabilities where the provider gives them",
        costs="nothing",
        is_default=True,
    ),
    Scorer(
        name=LEARNED,
        version="that of its weights",
        reads="the question, the answer, how it ended, the model; in a chain also the answer left behind",
        costs="nothing",
    ),
    Scorer(
        name=f"{JUDGE}MODEL",
        version="that of MODEL",
        reads="the conversation and the answer",
        costs="one call of MODEL for each answer, planned and held like any other",
    ),
)


def judge_of(scorer: str) -> ModelName | None:
    """The model that a scorer's name says is asked; None where it asks none."""
    return scorer.removeprefix(JUDGE).strip() or None if scorer.startswith(JUDGE) else None


def is_learned(scorer: str) -> bool:
    """Whether it is the learned scorer, by its name or with the version of its weights."""
    return scorer == LEARNED or scorer.startswith(f"{LEARNED}-")


def judge_scorer(model: ModelName) -> str:
    """The scorer's name of a model that judges."""
    return f"{JUDGE}{model}"


def ballot_of(scorer: AnswerScorer | None) -> Ballot | None:
    """The learned vote that goes by a scorer's confidences; None where it has none."""
    found: Ballot | None = getattr(scorer, "ballot", None)
    return found
