"""Recorded answers as rows to learn from: what the scorer reads of each, its model, and whether it is right."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ...domain.catalogue import ModelName
from ...domain.dataset import Example, Outcome
from ...domain.errors import InvalidRequest
from ...domain.finish import FinishReason
from ...domain.learned.answer_features import answer_terms, features_of, question_terms
from ...domain.learned.answer_reading import AnswerReading, read_answer

FEWEST = 50  # answers that a model needs
FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One answer. `reading` keeps only what is asked of it beyond its features."""

    dataset: str
    example: int  # rows of one example are one prompt's
    fold: int  # 0 to FOLDS - 1, by the prompt's text alone
    model: ModelName
    prompt: str
    reading: AnswerReading
    values: list[float]
    question: Sequence[str]  # its terms
    said: Sequence[str]  # the answer's
    is_right: bool
    cost: float | None  # US dollars


def rows_of(name: str, examples: Iterable[Example], models: Sequence[ModelName], *, start: int = 0) -> list[Row]:
    """The answers to the prompts that are not contaminated; numbering begins at `start`.

    Raises InvalidRequest where there is nothing to learn: no prompts, a model unknown, without texts or with too few,
    or always right or wrong.
    """
    kept = [one for one in examples if one.prompt and not one.contaminated]
    if not kept:
        raise InvalidRequest(f"{name} has no prompts to learn from: each is missing or contaminated, or it is empty")
    known = sorted({model for one in kept for model in one.outcomes})
    if missing := sorted(set(models) - set(known)):
        raise InvalidRequest(f"{name} has no outcomes of {', '.join(missing)}: choose among {', '.join(known)}")
    rows = [
        row
        for number, one in enumerate(kept, start=start)
        for row in _rows(name, number, one, [model for model in known if not models or model in models])
    ]
    _check(name, rows, models or known)
    return rows


def fold_of(prompt: str) -> int:
    """The fold of a prompt: the same for equal texts, whatever set they stand in."""
    digest = hashlib.sha256(" ".join(prompt.split()).encode()).digest()
    return int.from_bytes(digest[:4], "big") % FOLDS


def _rows(name: str, number: int, example: Example, models: Sequence[ModelName]) -> list[Row]:
    prompt = example.prompt or ""
    terms, fold = question_terms(prompt), fold_of(prompt)
    return [
        _row(name, number, fold, model, prompt, terms, example.outcomes[model])
        for model in models
        if model in example.outcomes and example.outcomes[model].text is not None
    ]


def _row(
    name: str, number: int, fold: int, model: ModelName, prompt: str, terms: Sequence[str], outcome: Outcome
) -> Row:
    text = outcome.text or ""
    reading = read_answer(prompt, text, FinishReason.STOP)
    return Row(
        dataset=name,
        example=number,
        fold=fold,
        model=model,
        prompt=prompt,
        reading=replace(reading, asked_words=[], words=[], counts=Counter(), asked_numbers=[], numbers=[]),
        values=features_of(reading),
        question=terms,
        said=answer_terms(text),
        is_right=outcome.is_right,
        cost=None if outcome.cost is None else float(outcome.cost),
    )


def _check(name: str, rows: Sequence[Row], models: Sequence[ModelName]) -> None:
    for model in models:
        right = [row.is_right for row in rows if row.model == model]
        if len(right) < FEWEST:
            raise InvalidRequest(
                f"{name}: {model} has {len(right)} answers with a text, at least {FEWEST} are needed to learn from"
            )
        if len(set(right)) < 2:
            kind = "right" if right[0] else "wrong"
            raise InvalidRequest(f"{name}: every answer of {model} is {kind}, so nothing tells right from wrong")
