"""How much a prompt needs a strong model, by its form alone: no weight here was fitted to any answers.

What makes a cheap model fail where a strong one does not: much to read, code to follow or write, negations, conditions
and comparisons to keep apart. What does not: bare facts, which no model works out, and long sums, which all get wrong.
"""

from __future__ import annotations

from .learned.features import NAMES, form, read

# Of counts as logarithms. Chosen by hand, in tenths, looking at which kinds of recorded prompts need the strong model.
POINTS = {
    "words": 0.8,
    "code_block": 1.0,
    "code": 0.4,
    "negations": 0.6,
    "conditions": 0.2,
    "comparisons": 0.3,
    "algebra": 0.3,
    "judgement": 0.2,
    "operators": 0.1,
    "statements": 0.3,
    "of_the_above": 0.4,
    "option_numbers": -0.8,
    "longest": -0.1,
    "opens_lower": -0.6,
}
PLACES = [(NAMES.index(name), points) for name, points in POINTS.items()]


def difficulty(prompt: str) -> float:
    """Higher where a strong model is more likely to be needed; only the order means anything."""
    values = form(read(prompt))
    return sum(points * values[place] for place, points in PLACES)
