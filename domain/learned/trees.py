"""Boosted decision trees, walked in plain Python.

A tree is a leaf's value, or [feature, threshold, left, right]: a value up to the threshold goes left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

Tree: TypeAlias = "float | list[Tree]"


def margin(trees: Sequence[Tree], values: Sequence[float]) -> float:
    """The sum of the leaves that the values reach, in the order of the trees."""
    total = 0.0
    for tree in trees:
        while type(tree) is list:
            tree = tree[2] if values[tree[0]] <= tree[1] else tree[3]  # type: ignore[call-overload,operator,unused-ignore]
        total += tree  # type: ignore[operator]
    return total


def sigmoid(value: float) -> float:
    """The probability of a logit."""
    if value < 0:
        odds = math.exp(max(value, -700.0))
        return odds / (1.0 + odds)
    return 1.0 / (1.0 + math.exp(-min(value, 700.0)))


def logit(probability: float, least: float = 1e-4) -> float:
    """The logit of a probability, which is held at least that far from 0 and 1."""
    held = min(1.0 - least, max(least, probability))
    return math.log(held / (1.0 - held))
