"""A cascade from a cheap to a strong model as training fixed it."""

from __future__ import annotations

from dataclasses import dataclass

from ..catalogue import ModelName

HARDLY = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """Above which gain the strong model is asked, and what that came to on held-out folds."""

    weak: ModelName
    strong: ModelName
    second: ModelName | None  # whose answer is bought beside each of the weak model's
    gain: float  # the strong model is asked where the gain is above it: to reach the strong model's accuracy
    guaranteed_gain: float | None  # likewise, within the risk of the guarantee; None where none was given or found
    held_out_cost: float | None  # of the models asked, as a share of the strong model's alone; None: unknown
    held_out_accuracy: float
    strong_accuracy: float  # alone, on the same prompts

    @property
    def is_as_good(self) -> bool:
        """Held out, it was as often right as the strong model alone, or hardly less."""
        return self.held_out_accuracy >= self.strong_accuracy - HARDLY
