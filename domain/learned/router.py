"""How likely each model is right on a prompt, learned from recorded outcomes.

Each data set taught one expert; a gate says how much a prompt is like those of each set. What is said of a model is the
mean of the experts that know it, weighted by the gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

from ..catalogue import ModelName
from ..difficulty import difficulty
from .expert import Expert
from .features import read
from .linear import LinearScores, Scores

SHARPNESS = 10.0  # a gate's score is near 1 for prompts of its set, near 0 for others
FAINT = 0.01  # an expert with less of the weight is not asked


class LearnedRouter:
    """Made from the dict of weights that training writes; frozen, and named by their version.

    `thresholds`: for pairs trained with a guarantee, the need from which the strong model is asked; None: always.
    """

    def __init__(self, weights: Mapping[str, Any], version: str) -> None:
        self.version = version
        self._linear = LinearScores(weights["linear"])
        self._experts = tuple(map(Expert, weights["experts"]))
        self.thresholds: dict[tuple[ModelName, ModelName], float | None] = {
            (one["weak"], one["strong"]): one["threshold"] for one in weights.get("thresholds", ())
        }
        names = dict.fromkeys(model for expert in self._experts for model in expert.models)
        self.models: tuple[ModelName, ...] = tuple(names)

    def success(self, prompt: str) -> dict[ModelName, float]:
        """P(right | request, model) for every model it was trained on."""
        scores = self._linear.read(read(prompt))
        looks = {expert.name: expert.look(self._linear, scores) for expert in self._experts}
        return {
            model: sum(
                weight * expert.success(looks[expert.name], model) for weight, expert in self._heard(scores, model)
            )
            for model in self.models
        }

    def need(self, prompt: str, weak: ModelName, strong: ModelName) -> float:
        """By how much the strong model's expected grade is higher; of a pair no data set holds, the difficulty."""
        if not self.knows(weak, strong):
            return difficulty(prompt)
        scores = self._linear.read(read(prompt))
        return sum(
            weight * expert.gain(expert.look(self._linear, scores), weak, strong)
            for weight, expert in self._heard(scores, weak, strong)
        )

    def knows(self, *models: ModelName) -> bool:
        """Whether one data set had all of them."""
        return any(set(models) <= set(expert.models) for expert in self._experts)

    def explain(self, prompt: str, model: ModelName) -> dict[str, float]:
        """What each word and property of the prompt adds to the share of right answers that it lets expect of a model.

        Empty for a model it was not trained on. The heads bend these shares into P(right); they are not in here.
        """
        reading, found = read(prompt), dict[str, float]()
        if model not in self.models:
            return found
        for weight, expert in self._heard(self._linear.read(reading), model):
            for name, value in self._linear.parts(reading, expert.place_of(model)).items():
                found[name] = found.get(name, 0.0) + weight * value
        return found

    def _heard(self, scores: Scores, *models: ModelName) -> Sequence[tuple[float, Expert]]:
        """The experts that know these models, with weights that sum to 1."""
        experts = [expert for expert in self._experts if all(model in expert.models for model in models)]
        if len(experts) == 1:
            return [(1.0, experts[0])]
        likeness = [exp(SHARPNESS * self._linear.score(scores, expert.gate)) for expert in experts]
        whole = sum(likeness)
        heard = [(one / whole, expert) for one, expert in zip(likeness, experts, strict=True) if one / whole >= FAINT]
        rest = sum(weight for weight, _ in heard)
        return [(weight / rest, expert) for weight, expert in heard]
