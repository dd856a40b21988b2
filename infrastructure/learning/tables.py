"""Recorded outcomes as tables to learn from: prompts, models, and a grade for each of both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

from ...domain.catalogue import ModelName
from ...domain.dataset import RIGHT, Example
from ...domain.errors import InvalidRequest

FEWEST = 50  # prompts that a table needs


@dataclass(frozen=True, slots=True)
class Table:
    """`grades` has a row a prompt and a column a model, each 0..1. `tasks`: labels of the benchmark, for training."""

    name: str
    ids: Sequence[str]
    prompts: Sequence[str]
    tasks: Sequence[str | None]
    models: Sequence[ModelName]
    grades: Sequence[Sequence[float]]

    def only(self, places: Sequence[int]) -> Table:
        """These prompts."""
        return Table(
            name=self.name,
            ids=[self.ids[place] for place in places],
            prompts=[self.prompts[place] for place in places],
            tasks=[self.tasks[place] for place in places],
            models=self.models,
            grades=[self.grades[place] for place in places],
        )

    def grades_of(self, model: ModelName) -> list[float]:
        """A column."""
        place = self.models.index(model)
        return [row[place] for row in self.grades]


def table_of(name: str, examples: Iterable[Example], models: Sequence[ModelName] = ()) -> Table:
    """Of the examples that have a prompt and are not contaminated. Raises InvalidRequest for what teaches nothing."""
    kept = [one for one in examples if one.prompt and not one.contaminated]
    if not kept:
        raise InvalidRequest(
            f"{name} has no prompts to learn from: every example is empty, contaminated or without prompt"
        )
    wanted = tuple(models) or tuple(dict.fromkeys(model for one in kept for model in one.outcomes))
    for model in wanted:
        lacking = sum(model not in one.outcomes for one in kept)
        if lacking:
            known = ", ".join(sorted({model for one in kept for model in one.outcomes}))
            raise InvalidRequest(
                f"{name}: {lacking} of {len(kept)} prompts have no outcome of {model}: "
                f"choose with --models among {known}"
            )
    table = Table(
        name=name,
        ids=[one.id for one in kept],
        prompts=[one.prompt or "" for one in kept],
        tasks=[one.task for one in kept],
        models=wanted,
        grades=[[one.outcomes[model].score for model in wanted] for one in kept],
    )
    _check(table)
    return table


def _check(table: Table) -> None:
    if len(table.prompts) < FEWEST:
        raise InvalidRequest(
            f"{table.name} has {len(table.prompts)} prompts, at least {FEWEST} are needed to learn from"
        )
    if len(table.models) < 2:
        raise InvalidRequest(f"{table.name} has outcomes of one model only: nothing to choose between")
    for model in table.models:
        grades = table.grades_of(model)
        wrong = next((one for one in grades if not (isfinite(one) and 0 <= one <= 1)), None)
        if wrong is not None:
            raise InvalidRequest(f"{table.name}: {model} has grade {wrong:g}, grades from 0 to 1 are needed")
        right = sum(grade >= RIGHT for grade in grades)
        if right in (0, len(grades)):
            kind = "right" if right else "wrong"
            raise InvalidRequest(f"{table.name}: {model} is {kind} on every prompt: there is nothing to learn about it")
