"""A data set as an evaluation reads it: one column a model, and an error where a column is not there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from ...domain.catalogue import ModelName
from ...domain.dataset import RIGHT, Example, Outcome
from ...domain.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class RecordedSet:
    """The prompts that may be judged on, in the order of the set. Columns have one value a prompt."""

    name: str
    examples: Sequence[Example]
    left_out: int  # contaminated prompts

    @property
    def models(self) -> tuple[ModelName, ...]:
        """The models whose outcomes every prompt has."""
        return tuple(self.examples[0].outcomes)

    def require(self, models: Iterable[ModelName]) -> None:
        """Raises InvalidRequest for a model that the set does not have, naming those that it has."""
        for model in models:
            if model not in self.models:
                near = get_close_matches(model, self.models, 1)
                hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(self.models)}"
                raise InvalidRequest(f"data set {self.name} has no model {model!r}: {hint}")

    def outcomes(self, model: ModelName) -> list[Outcome]:
        """What became of each prompt. Raises InvalidRequest where the model is missing."""
        self.require([model])
        for example in self.examples:
            if model not in example.outcomes:
                raise InvalidRequest(f"data set {self.name}: prompt {example.id!r} has no outcome of {model}")
        return [example.outcomes[model] for example in self.examples]

    def grades(self, model: ModelName) -> list[float]:
        """As recorded."""
        return [outcome.score for outcome in self.outcomes(model)]

    def right(self, model: ModelName) -> list[bool]:
        """Whether each answer counts as right. Raises InvalidRequest where all are of one kind."""
        found = [outcome.is_right for outcome in self.outcomes(model)]
        if all(found) or not any(found):
            kind = "right" if found[0] else "wrong"
            raise InvalidRequest(
                f"data set {self.name}: all answers of {model} count as {kind} (a grade of {RIGHT} or more is right): "
                "nothing tells them apart"
            )
        return found

    def costs(self, model: ModelName) -> list[float] | None:
        """USD of each call; None where one is not recorded."""
        found = [outcome.cost for outcome in self.outcomes(model)]
        return None if None in found else [float(cost or 0) for cost in found]

    def prompts(self) -> list[str]:
        """The prompts. Raises InvalidRequest where the source does not give them."""
        found = [example.prompt for example in self.examples]
        missing = sum(prompt is None for prompt in found)
        if missing:
            raise InvalidRequest(
                f"data set {self.name}: {missing:,} of {len(found):,} prompts have no text to route by"
            )
        return [prompt or "" for prompt in found]

    def questions(self) -> list[str]:
        """The prompts, empty where they are unknown."""
        return [example.prompt or "" for example in self.examples]

    def known_prompts(self) -> list[str]:
        """Those prompts that have a text."""
        return [one.prompt for one in self.examples if one.prompt is not None]

    def texts(self, model: ModelName) -> list[str]:
        """The answers; a model that gave none is empty. Raises InvalidRequest where the set carries no answers."""
        found = [outcome.text for outcome in self.outcomes(model)]
        if not any(found):
            raise InvalidRequest(
                f"data set {self.name} has grades of {model}, but no answers: only routing can be evaluated on it"
            )
        return [text or "" for text in found]


def recorded_set(name: str, examples: Iterable[Example]) -> RecordedSet:
    """The set without its contaminated prompts. Raises InvalidRequest where none is left."""
    every = list(examples)
    clean = [example for example in every if not example.contaminated]
    if not clean:
        reason = "all its prompts are contaminated" if every else "it holds no prompt"
        raise InvalidRequest(f"data set {name}: {reason}")
    return RecordedSet(name, clean, len(every) - len(clean))
