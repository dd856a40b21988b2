"""Figures as reports show them: every digit of money, shares and changes in per cent."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from ..domain.units import plain

UNKNOWN = "unknown"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_TENTH = Decimal("0.1")


def dollars(amount: Decimal | None) -> str:
    """USD with all digits there are, two decimals at least, and thousands apart: $1,234.50, $0.0000243, -$3.00."""
    if amount is None:
        return UNKNOWN
    digits = plain(abs(amount))
    whole, _, part = digits.partition(".")
    sign = "-" if amount < 0 else ""
    return f"{sign}${int(whole):,}.{part:0<2}"


def percent(part: Decimal | int | None, whole: Decimal | int | None) -> str:
    """A share, to a tenth of a per cent; a tiny one says so, and nothing of nothing is empty."""
    if part is None or not whole:
        return ""
    tenths = _tenths(Decimal(part), Decimal(whole))
    if not tenths and part:
        return "<0.1 %" if (part > 0) == (whole > 0) else ">-0.1 %"
    return f"{tenths:,} %"


def change(now: Decimal | int | None, before: Decimal | int | None) -> str:
    """How `now` stands to what was before: +12.5 %, -3.0 %, 0.0 %; new where there was nothing."""
    if now is None or before is None:
        return ""
    if not before:
        return "new" if now else ""
    tenths = _tenths(Decimal(now) - Decimal(before), abs(Decimal(before)))
    if not tenths:
        return "0.0 %"
    return f"{tenths:+,} %"


def share_bar(part: Decimal | int | None, whole: Decimal | int | None, *, width: int = 16, ascii: bool = False) -> str:
    """A bar of the share's length, to an eighth of a character; never empty for what is not nothing."""
    if part is None or not whole or part <= 0 or whole <= 0:
        return ""
    with localcontext(prec=60):
        eighths = max(1, min(8 * width, int(Decimal(part) * 8 * width / Decimal(whole))))
    if ascii:
        return "#" * max(1, round(eighths / 8))
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def short_dollars(amount: Decimal) -> str:
    """USD in few characters, for an axis: $0, $0.0025, $12.50, $1.2K, $3.4M; rounded to three digits."""
    if not amount:
        return "$0"
    size = abs(amount)
    for unit, letter in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if size >= unit:
            return f"{'-' if amount < 0 else ''}${_digits(size / unit)}{letter}"
    digits = _digits(size)
    return f"{'-' if amount < 0 else ''}${digits}{'0' if digits[-2:-1] == '.' else ''}"  # $1.50, not $1.5


def _digits(size: Decimal) -> str:
    with localcontext(prec=3):
        return plain(+size)


def _tenths(part: Decimal, whole: Decimal) -> Decimal:
    with localcontext(prec=60):
        return (100 * part / whole).quantize(_TENTH, ROUND_HALF_EVEN)
