"""The scorers: who says how far an answer can be trusted, by name and version."""

from __future__ import annotations

from dataclasses import dataclass

from .catalogue import ModelName
from .confidence import SCORER

LEARNED = "learned"
JUDGE = "judge:"


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
        reads="the answer, the question and the model's name",
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


def judge_scorer(model: ModelName) -> str:
    """The scorer's name of a model that judges."""
    return f"{JUDGE}{model}"
