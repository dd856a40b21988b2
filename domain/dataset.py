"""Recorded outcomes: what models once answered to the same prompts, how it was graded, and what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .catalogue import ModelName
from .units import Usd

RIGHT = 0.5  # a grade from here on counts as right where only right and wrong are told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One model's answer to one prompt. None: not recorded."""

    score: float  # 1 right, 0 wrong, or a grade
    answer: str | None = None  # as the data set extracted it
    text: str | None = None  # the whole answer
    input_tokens: int | None = None  # as this model counts them; None: as the example says
    output_tokens: int | None = None
    cost: Usd | None = None  # of the call

    @property
    def is_right(self) -> bool:
        """Whether the answer counts as right."""
        return self.score >= RIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One prompt and every model's outcome. `task` is a label of the benchmark; no policy reads it."""

    id: str
    task: str | None
    prompt: str | None  # None: the source does not give it
    reference: str | None
    input_tokens: int | None
    contaminated: bool  # a near-duplicate of what a model under test was trained on: kept, never evaluated
    outcomes: Mapping[ModelName, Outcome]


def evaluated(examples: Iterable[Example]) -> Iterator[Example]:
    """Those that a result may be measured on: without the contaminated ones."""
    return (example for example in examples if not example.contaminated)
