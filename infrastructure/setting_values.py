"""The kinds of value a setting can have. Each reads a TOML value or a text, and raises ValueError on any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from ..domain.units import Duration, Probability, Usd, duration, plain, probability

Parse = Callable[[object], object]

LABEL = re.compile(r"[^\x00-\x1f]{1,64}")
ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PRICE_DECIMALS = 6  # USD a 1,000,000 tokens: one token is then a whole number of picodollars
AMOUNT_DECIMALS = 12


class Detail(ValueError):
    """A value is off, and the text says where in it."""


def text(value: object) -> str:
    """Any text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value.strip()


def label(value: object) -> str:
    """A text of 1 to 64 characters without control characters."""
    if not LABEL.fullmatch(text(value)):
        raise ValueError
    return text(value)


def one_of(choices: Iterable[str]) -> Parse:
    """One of these words, in any case."""
    known = tuple(choices)

    def parse(value: object) -> str:
        word = text(value).lower()
        if word not in known:
            raise ValueError
        return word

    return parse


def provider(value: object) -> str:
    """live or simulated, in any case, or a data set as recorded:NAME."""
    word = text(value)
    if word.startswith("recorded:") and word != "recorded:":
        return word
    return str(one_of(("live", "simulated"))(value))


def words_of(choices: Iterable[str]) -> Parse:
    """A list of these words."""
    word = one_of(choices)

    def parse(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError
        return tuple(str(word(entry)) for entry in value)

    return parse


def names(least: int, most: int) -> Parse:
    """A list of so many different names."""

    def parse(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError
        found = tuple(text(entry) for entry in value)
        twice = [name for name in dict.fromkeys(found) if found.count(name) > 1]
        if twice:
            raise Detail(f"{twice[0]} comes twice")
        if not least <= len(found) <= most:
            raise Detail(f"it has {len(found)}")
        return found

    return parse


def switch(value: object) -> bool:
    """true or false; as a text also yes, no, on, off, 1, 0."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if text(value).lower() not in words:
        raise ValueError
    return words[text(value).lower()]


def whole(least: int, most: int) -> Parse:
    """A whole number within these bounds."""

    def parse(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError
        number = int(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return parse


def seconds(value: object) -> float:
    """Seconds above 0, up to a day."""
    number = float(_decimal(value))
    if not 0 < number <= 86_400:
        raise ValueError
    return number


def duration_or_off(value: object) -> Duration | None:
    """A time such as 90s, 10m, 24h or 7d; off is None."""
    return None if text(value).lower() == "off" else duration(text(value))


def share(value: object) -> Probability:
    """0 to 1."""
    number = _decimal(value)
    if not 0 <= number <= 1:
        raise ValueError
    return probability(float(number))


def hours(value: object) -> float:
    """Hours above 0, up to a year; a text may say m, h or d: 90m, 24h, 7d."""
    said = value.strip() if isinstance(value, str) else value
    unit = said[-1:].lower() if isinstance(said, str) else ""
    in_hours = {"m": Decimal(1) / 60, "h": Decimal(1), "d": Decimal(24)}
    number = _decimal(said[:-1] if isinstance(said, str) and unit in in_hours else said)
    found = float(number * in_hours.get(unit, Decimal(1)))
    if not 0 < found <= 8784:
        raise ValueError
    return found


def amount(value: object) -> Usd:
    """US dollars, 0 or more, of at most 12 decimals."""
    return _usd(value, AMOUNT_DECIMALS)


def price(value: object) -> Usd:
    """USD a 1,000,000 tokens, 0 or more, of at most 6 decimals."""
    return _usd(value, PRICE_DECIMALS)


def url(value: object) -> str:
    """An http or https address without a password, query or fragment in it."""
    address = text(value)
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError
    if parts.query or parts.fragment or re.search(r"\s", address) or parts.port == 0:
        raise ValueError
    return address.rstrip("/")


def environment_name(value: object) -> str:
    """The name of an environment variable."""
    if not ENVIRONMENT_NAME.fullmatch(text(value)):
        raise ValueError
    return text(value)


def day(value: object) -> str:
    """A date as YYYY-MM-DD."""
    return (value if isinstance(value, date) else date.fromisoformat(text(value))).isoformat()[:10]


def _usd(value: object, decimals: int) -> Usd:
    number = _decimal(value)
    exponent = Decimal(plain(number)).as_tuple().exponent
    if number < 0 or number >= 10**9 or not isinstance(exponent, int) or -exponent > decimals:
        raise ValueError
    return Usd(plain(number.copy_abs()))


def _decimal(value: object) -> Decimal:
    """An exact number; binary floats are taken as they print."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError from None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise ValueError
    return number
