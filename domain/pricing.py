"""What an answer costs: exact decimals from disjoint token classes.

Cache tokens cost only where a provider counts them. We never ask for a cache; a provider that writes one unasked bills
its short retention (Anthropic 5 minutes, OpenAI 30 minutes), which is `cache_write` here. Longer retentions cost more
and come only when asked for, so the worst case is the dearest of the classes below.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, Inexact

from .units import MILLION, Usd, plain

EXACT = Context(prec=60, traps=[Inexact])


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens a provider counted, in disjoint classes: their sum is the whole call."""

    input_uncached: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0  # without reasoning
    reasoning: int = 0

    @property
    def input_tokens(self) -> int:
        """All input tokens, cached ones included."""
        return self.input_uncached + self.cache_read + self.cache_write

    @property
    def output_tokens(self) -> int:
        """All output tokens, reasoning included."""
        return self.output + self.reasoning


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTier:
    """Prices of every token of a call, output too, whose input is longer than `above` tokens, cached ones included."""

    above: int
    input: Usd
    output: Usd
    cache_read: Usd | None = None
    cache_write: Usd | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceCard:
    """Prices of one model at one time, in USD a 1,000,000 tokens. A cache price of None is the input price."""

    id: str  # such as gpt-4o-mini@2024-07-18
    input: Usd
    output: Usd
    cache_read: Usd | None = None
    cache_write: Usd | None = None
    tiers: tuple[PriceTier, ...] = ()  # of long inputs, by rising `above`

    def rates(self, input_tokens: int) -> PriceCard | PriceTier:
        """The prices of a call with that many input tokens."""
        reached = [tier for tier in self.tiers if input_tokens > tier.above]
        return reached[-1] if reached else self

    @property
    def dearest_input(self) -> Usd:
        """The highest price any class of input token can have, at any length."""
        every: tuple[PriceCard | PriceTier, ...] = (self, *self.tiers)
        return max(_dearest_input(rates) for rates in every)


def cost(usage: Usage, card: PriceCard) -> Usd:
    """What `usage` costs on `card`, to the last digit; reasoning is billed as output."""
    rates = card.rates(usage.input_tokens)
    classes = (
        (usage.input_uncached, rates.input),
        (usage.cache_read, rates.input if rates.cache_read is None else rates.cache_read),
        (usage.cache_write, rates.input if rates.cache_write is None else rates.cache_write),
        (usage.output_tokens, rates.output),
    )
    return _per_million(classes)


def worst_cost(card: PriceCard, *, input_tokens: int, output_tokens: int) -> Usd:
    """The most a call of these bounds can cost: all input at the dearest class of the dearest length reached."""
    reached: tuple[PriceCard | PriceTier, ...] = (card, *(tier for tier in card.tiers if input_tokens > tier.above))
    return max(
        _per_million(((input_tokens, _dearest_input(rates)), (output_tokens, rates.output))) for rates in reached
    )


def _dearest_input(rates: PriceCard | PriceTier) -> Usd:
    return max(price for price in (rates.input, rates.cache_read, rates.cache_write) if price is not None)


def _per_million(classes: tuple[tuple[int, Usd], ...]) -> Usd:
    total = Decimal(0)
    for tokens, price in classes:
        total = EXACT.add(total, EXACT.multiply(Decimal(tokens), price))
    return Usd(plain(EXACT.divide(total, Decimal(MILLION))))
