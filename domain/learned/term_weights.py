"""What the terms of a text weigh together: a linear model of their presence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TermWeights:
    """A weight for each known term, and the value of a text without any."""

    weights: Mapping[str, float]
    bias: float

    def value(self, terms: Iterable[str]) -> float:
        """The bias and the known terms' weights over the root of their number; each term is passed once."""
        known = [weight for weight in map(self.weights.get, terms) if weight is not None]
        return self.bias + math.fsum(known) / math.sqrt(len(known) or 1)
