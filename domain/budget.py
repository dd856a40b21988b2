"""What a call can cost at most, and how far its output must be cut to fit a limit."""

from __future__ import annotations

from .pricing import PriceCard, worst_cost
from .units import Usd


def affordable_output(card: PriceCard, *, input_tokens: int, limit: Usd, wanted: int) -> int:
    """The most output tokens, up to `wanted`, with which the worst cost still fits `limit`; -1 where none does."""
    if worst_cost(card, input_tokens=input_tokens, output_tokens=wanted) <= limit:
        return wanted
    low, high = -1, wanted  # low fits (or nothing does), high does not: the cost never falls as output grows
    while high - low > 1:
        middle = (low + high) // 2
        if worst_cost(card, input_tokens=input_tokens, output_tokens=middle) <= limit:
            low = middle
        else:
            high = middle
    return low
