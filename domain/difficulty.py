"""How much a prompt needs a strong model, by its form alone: nothing here was fitted to any answers."""

from __future__ import annotations

import math

from .complexity import ComplexityAnalyzer
from .units import MILLION


def difficulty(prompt: str) -> float:
    """Higher where a strong model is more likely to be needed; only the order means anything."""
    signals = ComplexityAnalyzer().assess_prompt(prompt).signals
    return sum(signals.values()) / MILLION + math.log1p(len(prompt)) / 10
