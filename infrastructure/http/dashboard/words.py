"""How pages write figures: money as everywhere, times in UTC, and labels as nothing but text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from ....application.amounts import change, dollars, percent
from ....domain.exclusions import exclusion_text
from ....domain.units import MILLION, usd

_MINUTE, _HOUR = 60, 3600


def picos(amount: int | None) -> str:
    """Picodollars as USD with every digit."""
    return dollars(None if amount is None else usd(amount))


def money(amount: Decimal | str | None) -> str:
    """USD with every digit."""
    return dollars(None if amount is None else Decimal(amount))


def decimals(amounts: Iterable[str]) -> int:
    """The most digits behind a point that one of the amounts has."""
    return max((len(one.partition(".")[2]) for one in amounts if one[-1:].isdigit()), default=0)


def padded(amount: str, digits: int) -> str:
    """The amount, with blanks as wide as digits behind it, so that points stand below points."""
    if not amount[-1:].isdigit():
        return amount
    return amount + "\N{FIGURE SPACE}" * (digits - len(amount.partition(".")[2]))


def clean(text: object) -> str:
    """A label on one line: what cannot be shown, or turns the text around, is replaced."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in str(text))


def moment(at: int | None) -> str:
    """2026-11-24 12:00:00."""
    return "" if at is None else _utc(at).strftime("%Y-%m-%d %H:%M:%S")


def iso(at: int) -> str:
    """ISO 8601, UTC."""
    return _utc(at).isoformat(timespec="milliseconds")


def seconds(microseconds: int | None) -> str:
    """0.82 s, 12.5 s, 3 m 20 s, 2 h 5 m."""
    if microseconds is None:
        return ""
    whole = microseconds / MILLION
    if whole < _MINUTE:
        return f"{whole:.2f} s" if whole < 10 else f"{whole:.1f} s"
    rounded = round(whole)
    if rounded < _HOUR:
        return f"{rounded // _MINUTE} m {rounded % _MINUTE} s"
    return f"{rounded // _HOUR:,} h {rounded % _HOUR // _MINUTE} m"


def share(millionths: int | float | None) -> str:
    """A probability, from millionths: 0.87."""
    return "" if millionths is None else f"{millionths / MILLION:.2f}"


def count(number: int) -> str:
    """1,234; nothing for none."""
    return f"{number:,}" if number else ""


def short_id(run: str) -> str:
    """The end of a run's id, which tells runs of one moment apart."""
    return run[-12:]


def without_each(path: str, wheres: Sequence[str], **asked: str) -> list[tuple[str, str]]:
    """Each condition, with the address of the page that does not have it."""
    return [(one, address(path, **asked, where=[other for other in wheres if other != one])) for one in wheres]


def address(path: str, **parameters: Any) -> str:
    """A path with its parameters; those that are empty are left out, and lists come once a value."""
    pairs: list[tuple[str, str]] = []
    for name, value in parameters.items():
        values: Iterable[object] = value if isinstance(value, list | tuple) else (value,)
        pairs += [(name, str(one)) for one in values if one not in (None, "")]
    return f"{quote(path)}?{urlencode(pairs)}" if pairs else quote(path)


def equals(field: str, value: str) -> str:
    """A condition as the filters read it: model = "gpt-4o"."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{field} = "{escaped}"'


def named(values: Iterable[object]) -> list[tuple[str, str]]:
    """Values that are shown as they are called."""
    return [(str(one), str(one)) for one in values]


def tag_condition(key: str, value: str) -> str:
    """A tag's value as the filters read it: tag:"team" = "core"."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return equals(f'tag:"{escaped}"', value)


FILTERS = {
    "decimals": decimals,
    "padded": padded,
    "named": named,
    "exclusion": exclusion_text,
    "picos": picos,
    "money": money,
    "clean": clean,
    "moment": moment,
    "iso": iso,
    "seconds": seconds,
    "share": share,
    "count": count,
    "short_id": short_id,
    "percent": percent,
    "change": change,
}


def _utc(at: int) -> datetime:
    return datetime.fromtimestamp(at / MILLION, UTC)
