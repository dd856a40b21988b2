"""What each model did, as figures for JSON, CSV and the terminal, from the statistics read model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..domain.events import Money
from ..domain.units import MILLION, Usd, plain, usd
from ..projections.model_report import ModelStats

SHARES = (0.5, 0.9, 0.99)
TENTHS = 10  # bars of a confidence histogram
TOKENS = ("input_uncached", "cache_read", "cache_write", "output", "reasoning")


def by_money(found: Sequence[ModelStats]) -> dict[str, list[ModelStats]]:
    """Kinds of money apart, real first; each with its models."""
    return {money.value: [one for one in found if one.money == money.value] for money in Money}


def ended(one: ModelStats) -> int:
    """Calls whose outcome is recorded, a lost one included."""
    return one.calls - one.open


def known_cost(one: ModelStats) -> Usd | None:
    """USD of the calls whose cost is known; None where all that is known is that some calls cost something."""
    return None if one.unpriced and not one.cost else usd(one.cost)


def mean_confidence(one: ModelStats) -> float | None:
    """0 to 1, over the answers that were scored; None where none was."""
    return one.confidence / one.scored / MILLION if one.scored else None


def histogram(twentieths: Counter[int]) -> list[int]:
    """How many answers have a confidence in each tenth, from 0 to 1; certainty is in the last."""
    bars = [0] * TENTHS
    for twentieth, count in twentieths.items():
        bars[min(TENTHS - 1, twentieth // 2)] += count
    return bars


def stats_dict(one: ModelStats) -> dict[str, Any]:
    """For JSON: times in seconds, money as decimal strings, null where there is nothing to tell.

    `cost` is what is known; `unknown` says of how many calls it is not.
    """
    confidence, cost = mean_confidence(one), known_cost(one)
    return {
        "model": one.model,
        "calls": one.calls,
        "answered": one.answered,
        "failed": one.failed,
        "lost": one.lost,
        "open": one.open,
        "success": round(one.answered / ended(one), 6) if ended(one) else None,
        "failures": dict(sorted(one.errors.items())),
        "retries": one.retries,
        "escalated_to": dict(sorted(one.escalated_to.items())),
        "escalated_from": dict(sorted(one.escalated_from.items())),
        "confidence": None if confidence is None else round(confidence, 6),
        "confidence_histogram": histogram(one.confidences),
        "latency": _quantiles(one.latency(share) for share in SHARES),
        "first_token": _quantiles(one.first_token(share) for share in SHARES),
        "tokens": {name: getattr(one, name) for name in TOKENS},
        "cost": None if cost is None else plain(cost),
        "unknown": one.unpriced,
        "failed_cost": plain(usd(one.failed_cost)),
        "lost_cost": plain(usd(one.lost_cost)),
        "cache_hits": one.cache_hits,
        "cache_saved": plain(usd(one.saved)),
    }


def _quantiles(found: Iterable[int | None]) -> dict[str, float | None]:
    names = [f"p{round(100 * share)}" for share in SHARES]
    return {name: None if at is None else at / MILLION for name, at in zip(names, found, strict=True)}
