"""Sizes of prompts between which a decision without limits is the same: it is then taken once for all of them.

What a call is expected to cost is a line over its input tokens, so the order of the models changes only where two lines
cross or a tier begins. Where an answer only just has room in a context window, every size stands for itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations

from ..domain.catalogue import ModelConfig
from ..domain.pricing import PriceCard, PriceTier

Rates = PriceCard | PriceTier
MEMORY = 100_000  # sizes whose class is kept: comparing fractions is slow


class SizeClasses:
    """For these models, and answers of so many expected tokens."""

    def __init__(self, models: Sequence[ModelConfig], expected_output: int, max_output: int) -> None:
        longest = max(expected_output, max_output)
        self._tight = [(model.context_window - longest, model.context_window) for model in models]
        priced = [(model.price, min(expected_output, model.max_tokens)) for model in models if model.price]
        self._marks = sorted({*_crossings(priced), *_tiers(priced), *_edges(self._tight)})
        self._first: dict[tuple[int, int], int] = {}
        self._known: dict[int, int] = {}

    def of(self, expected_input: int) -> int:
        """An input of the same class: the first one asked for."""
        known = self._known.get(expected_input)
        if known is None:
            known = self._found(expected_input)
            if len(self._known) < MEMORY:
                self._known[expected_input] = known
        return known

    def _found(self, expected_input: int) -> int:
        if any(low <= expected_input <= high for low, high in self._tight):
            return expected_input
        place = bisect_left(self._marks, expected_input), bisect_right(self._marks, expected_input)
        return self._first.setdefault(place, expected_input)


def _crossings(priced: Sequence[tuple[PriceCard, int]]) -> Iterator[Fraction]:
    for (one, its_output), (other, other_output) in combinations(priced, 2):
        for rates in _rates(one):
            for other_rates in _rates(other):
                slope = Fraction(rates.input) - Fraction(other_rates.input)
                if slope:
                    yield (Fraction(other_rates.output) * other_output - Fraction(rates.output) * its_output) / slope


def _tiers(priced: Sequence[tuple[PriceCard, int]]) -> Iterator[Fraction]:
    """A tier holds for more input than its mark."""
    return (tier.above + Fraction(1, 2) for card, _ in priced for tier in card.tiers)


def _edges(tight: Sequence[tuple[int, int]]) -> Iterator[Fraction]:
    """A model is out of reach behind its window."""
    return (edge + Fraction(1, 2) for low, high in tight for edge in (low - 1, high))


def _rates(card: PriceCard) -> tuple[Rates, ...]:
    return (card, *card.tiers)
