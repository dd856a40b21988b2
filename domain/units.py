"""The units every figure of a run is kept in: exact, integer or decimal, never a float."""

from __future__ import annotations

from decimal import Decimal
from typing import NewType

Probability = NewType("Probability", int)  # millionths: 0 = impossible, 1_000_000 = certain
Timestamp = NewType("Timestamp", int)  # microseconds since 1970-01-01, UTC
Duration = NewType("Duration", int)  # microseconds

MILLION = 1_000_000
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
PICODOLLARS = 10**12  # in one US dollar; the columns' integer unit


class Usd(Decimal):
    """US dollars, exact. Its own type, so that the codec writes plain digits and never an exponent."""

    __slots__ = ()

    def __str__(self) -> str:
        return format(self, "f")


def duration(text: str) -> Duration:
    """A time such as 90s, 10m, 24h or 7d, above 0 and at most 3,650 days. Raises ValueError."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit()) or unit not in SECONDS:
        raise ValueError(f"{text!r} is not a time such as 90s, 10m, 24h or 7d")
    seconds = int(number[:12]) * SECONDS[unit]
    if not 0 < seconds <= 3_650 * SECONDS["d"]:
        raise ValueError(f"{text!r} is not above 0 and at most 3650d")
    return Duration(seconds * MILLION)


def probability(fraction: float) -> Probability:
    """The nearest millionth of a fraction 0..1; a value outside is clipped."""
    return Probability(round(min(1.0, max(0.0, fraction)) * MILLION))


def fraction(value: Probability) -> float:
    """The probability as a float 0..1."""
    return value / MILLION


def picodollars(amount: Decimal) -> int:
    """The amount as an integer of picodollars. Raises ValueError where it is finer than one picodollar."""
    scaled = amount.scaleb(12)
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{amount:f} is finer than a picodollar (12 decimals)")
    return int(scaled)


def usd(picos: int) -> Usd:
    """Dollars from picodollars, without trailing zeros beyond the cent-less integer."""
    return Usd(plain(Decimal(picos).scaleb(-12)))


def plain(amount: Decimal) -> str:
    """The amount as plain digits: no exponent, no trailing zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
