"""Data sets made up for tests: sums that a small model gets wrong where they are long."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from model_orchestrator.application.evaluation.recorded_set import RecordedSet, recorded_set
from model_orchestrator.domain.dataset import Example, Outcome
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.units import Usd

SMALL, OTHER, BIG = "small", "other", "big"
PRICES = {SMALL: Usd("0.0001"), OTHER: Usd("0.0002"), BIG: Usd("0.002")}


def example(number: int) -> Example:
    """Every third is wrong of the small model, every fourth of the other, every tenth of the big one."""
    answers = {SMALL: number % 3 > 0, OTHER: number % 4 > 0, BIG: number % 10 > 0}
    return Example(
        id=f"p{number}",
        task=f"task {number % 3}",
        prompt=f"What is {' + '.join(['7'] * (1 + number % 3 * 2))} + {number}?",
        reference=None,
        input_tokens=10,
        contaminated=False,
        outcomes={
            model: Outcome(
                score=float(is_right),
                text=f"The answer is {number if is_right else -number}.",
                cost=PRICES[model],
            )
            for model, is_right in answers.items()
        },
    )


def sums(count: int = 60, change: Callable[[Example], Example] = lambda one: one) -> RecordedSet:
    """A set of that many."""
    return recorded_set("sums", map(change, map(example, range(1, count + 1))))


def file_of(path: Path, examples: Sequence[Example]) -> Path:
    """The same as a file of JSON lines."""
    path.write_text("".join(json.dumps(row_of(one)) + "\n" for one in examples), encoding="utf-8")
    return path


def row_of(one: Example) -> dict[str, Any]:
    """A line of such a file."""
    models = {
        model: {"score": found.score, "text": found.text, **({} if found.cost is None else {"cost": float(found.cost)})}
        for model, found in one.outcomes.items()
    }
    return {"id": one.id, "task": one.task, "prompt": one.prompt, "contaminated": one.contaminated, "models": models}


def without(field: str) -> Callable[[Example], Example]:
    """An example whose outcomes lack a field."""

    def change(one: Example) -> Example:
        gone: dict[str, Any] = {field: None}
        return replace(one, outcomes={model: replace(found, **gone) for model, found in one.outcomes.items()})

    return change


class Taught:
    """A policy that keeps what it was asked; longer is harder, and the big model is better."""

    version = "taught-1"
    models = (SMALL, OTHER, BIG)
    thresholds: Mapping[tuple[str, str], float | None] = MappingProxyType({})

    def __init__(self) -> None:
        self.asked: list[object] = []

    def need(self, prompt: str, weak: str, strong: str) -> float:
        self.asked.append((prompt, weak, strong))
        return float(len(prompt))

    def success(self, prompt: str) -> dict[str, float]:
        self.asked.append((prompt,))
        hard = len(prompt) / 40
        return {SMALL: 1 - hard, OTHER: 0.9 - hard / 2, BIG: 0.95}

    def confidence(
        self,
        question: str,
        answer: str,
        *,
        model: str | None = None,
        finish_reason: FinishReason = FinishReason.STOP,
        second: str | None = None,
    ) -> float:
        self.asked.append((question, answer, model, second))
        return 0.9 if second in (None, answer) and "-" not in answer else 0.2
