"""Thresholds with a guarantee: Learn-then-Test with a fixed sequence and exact bounds.

Source: Angelopoulos, Bates, Candès, Jordan, Lei, "Learn then Test" (arXiv 2110.01052), the Hoeffding-Bentkus p-value
of its section 3 and fixed-sequence testing of its section 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .errors import InvalidRequest


def controlled(losses: Iterable[Sequence[float]], *, risk: float, confidence: float) -> int | None:
    """The last threshold of a fixed sequence whose risk is at most `risk`, with at least that confidence.

    `losses` holds, for each threshold from the safest on, the losses 0..1 of the same independent prompts. The order
    must not depend on these losses. The first threshold that cannot be shown safe ends the sequence; None: the very
    first could not. Raises InvalidRequest for a risk or confidence outside 0..1, a loss outside it, or no losses.
    """
    if not (0 < risk < 1 and 0 < confidence < 1):
        raise InvalidRequest(f"risk {risk} and confidence {confidence}: expected both above 0 and below 1")
    last = None
    for place, values in enumerate(losses):
        if not values or not all(0 <= value <= 1 for value in values):
            raise InvalidRequest("losses to control: expected at least one for each threshold, each from 0 to 1")
        if p_value(values, risk) > 1 - confidence:
            break
        last = place
    return last


def p_value(losses: Sequence[float], risk: float) -> float:
    """How likely losses as low as these are where the true risk is above `risk`: exact for losses of 0 and 1."""
    count, total = len(losses), math.fsum(losses)
    if all(value in (0, 1) for value in losses):
        return binomial_tail(round(total), count, risk)
    bentkus = math.e * binomial_tail(math.ceil(total), count, risk)
    return min(1.0, bentkus, _hoeffding(min(total / count, risk), risk, count))


def binomial_tail(most: int, count: int, share: float) -> float:
    """P(at most `most` of `count`), each with probability `share`."""
    if most >= count:
        return 1.0
    terms = (
        math.exp(
            math.lgamma(count + 1)
            - math.lgamma(hits + 1)
            - math.lgamma(count - hits + 1)
            + hits * math.log(share)
            + (count - hits) * math.log1p(-share)
        )
        for hits in range(most + 1)
    )
    return min(1.0, math.fsum(terms))


def _hoeffding(mean: float, risk: float, count: int) -> float:
    """exp(-n kl(mean, risk))."""
    below = mean * math.log(mean / risk) if mean else 0.0
    above = (1 - mean) * math.log((1 - mean) / (1 - risk)) if mean < 1 else 0.0
    return math.exp(-count * (below + above))
