"""Routing among many models: one for each prompt, by predicted success and expected cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from ...domain.catalogue import ModelName
from ...domain.choice import best_within, cheapest_reaching
from ...domain.errors import InvalidRequest
from ...domain.metrics.ranking import mean
from ...domain.policy import DEFAULT_TARGET
from ...domain.units import fraction
from .chosen import Chosen, against, references, singles
from .policies import SuccessPolicy, checked
from .recorded_set import RecordedSet
from .report import Evaluation, Point

STEPS = 50  # of the target, for the curve

Predicted = Sequence[Mapping[ModelName, float]]


def evaluate_choice(
    data: RecordedSet,
    policy: SuccessPolicy,
    models: Sequence[ModelName],
    *,
    target: float = fraction(DEFAULT_TARGET),
    budget: float | None = None,
) -> Evaluation:
    """The cheapest model whose predicted success reaches the target, or the best within a budget (USD a prompt).

    A model's expected cost is its mean cost in the set. Raises InvalidRequest.
    """
    alone = singles(data, models)
    expected = {model: mean(chosen.costs) for model, chosen in alone.items() if chosen.costs is not None}
    if len(expected) < 2 or len(expected) < len(alone):
        raise InvalidRequest(
            f"data set {data.name}: a choice needs two models with recorded costs; name --weak and --strong instead"
        )
    predicted = _predicted(data, policy, models)
    rule = partial(cheapest_reaching, target=target) if budget is None else partial(best_within, budget=budget)
    chosen = [rule(success, expected) for success in predicted]
    best = next(iter(alone))
    row = against(_taken(alone, chosen).measured(), alone[best].measured())
    curve = _curve(alone, expected, predicted)
    enough = [usd for usd, quality in curve if quality >= alone[best].figures()["quality"]]
    figures = dict(row.figures) | ({"usd_at_best": min(enough)} if enough else {})
    return Evaluation(
        kind="choice",
        data=data,
        asked={"models": list(models), **({"target": target} if budget is None else {"budget": budget})},
        policy=replace(row, name=policy.version, figures=figures, points=curve),
        references=references(alone),
        predictions=[{"id": one.id, "model": model} for one, model in zip(data.examples, chosen, strict=True)],
        notes=["expected costs are each model's mean cost in this set; usd_at_best is read from the curve of targets"],
    )


def _predicted(data: RecordedSet, policy: SuccessPolicy, models: Sequence[ModelName]) -> Predicted:
    """Of each prompt, the success of the models asked for."""
    unknown = [model for model in models if model not in policy.models]
    if unknown:
        known = ", ".join(policy.models) or "none"
        raise InvalidRequest(f"policy {policy.version} knows no {unknown[0]}: it was trained on {known}")
    found = [policy.success(prompt) for prompt in data.prompts()]
    columns = [checked(policy.version, (one[model] for one in found)) for model in models]
    return [dict(zip(models, row, strict=True)) for row in zip(*columns, strict=True)]


def _taken(alone: Mapping[ModelName, Chosen], chosen: Sequence[ModelName]) -> Chosen:
    grades = [alone[model].grades[place] for place, model in enumerate(chosen)]
    return Chosen(grades, [(alone[model].costs or ())[place] for place, model in enumerate(chosen)])


def _curve(alone: Mapping[ModelName, Chosen], expected: Mapping[ModelName, float], predicted: Predicted) -> list[Point]:
    """Cost a 1,000 prompts and quality, target by target."""
    points = []
    for step in range(STEPS + 1):
        chosen = [cheapest_reaching(success, expected, step / STEPS) for success in predicted]
        figures = _taken(alone, chosen).figures()
        points.append((figures["usd_per_1000"], figures["quality"]))
    return points
