"""Filters as people write them: `field op value`, one condition a text, all of them to be met.

    cost > 0.05          category = "code review"       model in (gpt-4o, gpt-4o-mini)      latency >= 2s
    started = 2026-11    tag:team != core               error ~ time                        confidence = unknown

Operators are = != < <= > >= ~ (contains) and in. The command line and the API read the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from ..domain.errors import InvalidRequest
from ..domain.filters import AllOf, AnyOf, Compare, Condition, Field, Kind, Not, Op, Search, Unknown
from ..domain.time_ranges import TimeRange
from ..domain.units import MILLION, PICODOLLARS
from .dates import Calendar

MOST = 2**63 - 1  # of a column
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "~", "in")
_CLAUSE = re.compile(
    r"""\s*(?P<field>[^\W\d]\w*)(?P<key>:(?:"(?:[^"\\]|\\.)*"|[^\s"=!<>~]+))?
        \s*(?P<op><=|>=|!=|<>|==|=|<|>|~|\b(?:in|contains)\b)(?P<value>.*)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_QUOTED = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\s*""", re.DOTALL)
_LISTED = re.compile(r"[^,]*")
_ALIASES = {"==": "=", "<>": "!=", "contains": "~"}
_AMOUNT = re.compile(r"\$?(\d{1,30}(?:\.\d{1,30})?)")
_SHARE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(%?)")
_TIME = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(us|ms|s|m|h|d)")
_MICROSECONDS = {"us": 1, "ms": 1000, "s": MILLION, "m": 60 * MILLION, "h": 3600 * MILLION, "d": 86_400 * MILLION}
_UNKNOWN = "unknown"  # written without quotes: the field has no value


def parse_filters(texts: Iterable[str], fields: Mapping[str, Field], calendar: Calendar) -> Condition:
    """The condition that all the texts make. Raises InvalidRequest, which names the nearest field or value."""
    return AllOf(tuple(parse_filter(text, fields, calendar) for text in texts))


def parse_filter(text: str, fields: Mapping[str, Field], calendar: Calendar) -> Condition:
    """One condition. Raises InvalidRequest."""
    try:
        return _Clause(text, fields, calendar).condition()
    except InvalidRequest as error:
        raise InvalidRequest(f"filter {text!r}: {error}") from None


class _Clause:
    """One text, taken apart."""

    def __init__(self, text: str, fields: Mapping[str, Field], calendar: Calendar) -> None:
        if not text.replace("\t", " ").isprintable():
            raise InvalidRequest("it has a character that cannot be shown")
        found = _CLAUSE.fullmatch(text)
        if found is None:
            raise InvalidRequest(
                f'expected FIELD OPERATOR VALUE, as in "cost > 0.05"; operators: {" ".join(OPERATORS)}'
            )
        self.field = _field(found["field"], fields)
        self.key = _key(found["key"], self.field)
        op = found["op"].lower()
        self.op = _ALIASES.get(op, op)
        self._value = found["value"]
        self._calendar = calendar

    def condition(self) -> Condition:
        """What it says."""
        if self.field.kind is Kind.WORDS:
            if self.op not in ("~", "="):
                raise InvalidRequest(f'{self.field.name} can only be searched, as in {self.field.name} ~ "two words"')
            return Search(self._single()[0])
        if self.op == "in":
            return AnyOf(tuple(self._equal(*value) for value in _listed(self._value)))
        value, quoted = self._single()
        if self.op == "=":
            return self._equal(value, quoted)
        if self.op == "!=":
            return Not(self._equal(value, quoted))
        if self.op == "~":
            return self._contains(value)
        return self._ordered(value)

    def _single(self) -> tuple[str, bool]:
        value, quoted = _unquoted(self._value)
        if not value and not quoted:
            raise InvalidRequest(f"there is no value after {self.op}")
        return value, quoted

    def _equal(self, value: str, quoted: bool) -> Condition:
        if value == _UNKNOWN and not quoted:
            return Unknown(self.field, self.key)
        if self.field.kind is Kind.TIME:
            return _within(self.field, self._calendar.range(value))
        return Compare(self.field, Op.EQUAL, self._number_or_text(value), self.key)

    def _contains(self, value: str) -> Condition:
        if self.field.kind not in (Kind.TEXT, Kind.TAG):
            raise InvalidRequest(f"{self.field.name} holds no text: compare it with = != < <= > >=")
        return Compare(self.field, Op.CONTAINS, value, self.key)

    def _ordered(self, value: str) -> Condition:
        if self.field.kind in (Kind.TEXT, Kind.TAG):
            raise InvalidRequest(f"{self.field.name} is text and has no order: compare it with = != ~ in")
        if self.field.kind is not Kind.TIME:
            return Compare(self.field, Op(self.op), self._number_or_text(value))
        dates = self._calendar.dates(value)  # after November is from December on
        if self.op in ("<", ">="):
            return Compare(self.field, Op(self.op), dates.start)
        return Compare(self.field, Op.LESS if self.op == "<=" else Op.AT_LEAST, dates.end)

    def _number_or_text(self, value: str) -> str | int:
        match self.field.kind:
            case Kind.MONEY:
                return _scaled(value, _AMOUNT, {"": PICODOLLARS}, "an amount in USD, as in 0.05")
            case Kind.PROBABILITY:
                units = {"": MILLION, "%": MILLION // 100}
                share = _scaled(value, _SHARE, units, "a share from 0 to 1, as in 0.8 or 80%")
                if share > MILLION:
                    raise InvalidRequest(f"{value!r}: expected a share from 0 to 1, as in 0.8 or 80%")
                return share
            case Kind.DURATION:
                return _scaled(value.lower(), _TIME, _MICROSECONDS, "a duration with its unit, as in 2s or 500ms")
            case Kind.COUNT:
                return _scaled(value, re.compile(r"(\d{1,20})"), {"": 1}, "a whole number")
            case _:
                return _chosen(value, self.field)


def _within(field: Field, dates: TimeRange) -> Condition:
    bounds = ((Op.AT_LEAST, dates.start), (Op.LESS, dates.end))
    return AllOf(tuple(Compare(field, op, bound) for op, bound in bounds if bound is not None))


def _scaled(text: str, form: re.Pattern[str], units: Mapping[str, int], wanted: str) -> int:
    """A decimal with its unit as an exact integer."""
    found = form.fullmatch(text)
    if found is None:
        raise InvalidRequest(f"{text!r}: expected {wanted}")
    unit = found[2] if form.groups > 1 else ""
    whole, _, part = found[1].partition(".")
    digits: int = 10 ** len(part)
    scaled, rest = divmod(int(whole + part) * units[unit], digits)
    if rest or scaled > MOST:
        raise InvalidRequest(f"{text!r} is {'finer' if rest else 'more'} than what is stored")
    return scaled


def _field(name: str, fields: Mapping[str, Field]) -> Field:
    if (found := fields.get(name.lower())) is not None:
        return found
    near = get_close_matches(name.lower(), fields, 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InvalidRequest(f"there is no field {name!r}{hint} Fields: {', '.join(map(_shown, fields.values()))}")


def _shown(field: Field) -> str:
    return f"{field.name}:KEY" if field.kind is Kind.TAG else field.name


def _key(written: str | None, field: Field) -> str | None:
    if (field.kind is Kind.TAG) == (written is None):
        expected = "tag:KEY, as in tag:team = core" if written is None else f"{field.name} without a key"
        raise InvalidRequest(f"expected {expected}")
    if written is None:
        return None
    return _plain(written[2:-1]) if written.startswith(':"') else written[1:]


def _chosen(value: str, field: Field) -> str:
    if not field.choices or value in field.choices:
        return value
    if value.lower() in field.choices:
        return value.lower()
    near = get_close_matches(value.lower(), field.choices, 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InvalidRequest(f"{field.name} is never {value!r}{hint} It is {', '.join(field.choices)}")


def _unquoted(text: str) -> tuple[str, bool]:
    """The value, and whether it stood in quotes."""
    if text.lstrip()[:1] not in ('"', "'"):
        return text.strip(), False
    found = _QUOTED.fullmatch(text)
    if found is None:
        raise InvalidRequest("a quote is not closed, or something follows it")
    return _plain(found[1] if found[1] is not None else found[2]), True


def _listed(text: str) -> list[tuple[str, bool]]:
    """The values of (a, b, "c, d")."""
    inner = text.strip()
    if len(inner) < 2 or inner[0] != "(" or inner[-1] != ")":
        raise InvalidRequest('expected a list after in, as in (a, "b c")')
    values, at, inner = [], 0, inner[1:-1]
    while True:
        quoted = inner[at:].lstrip()[:1] in ('"', "'")
        found = (_QUOTED if quoted else _LISTED).match(inner, at)
        if found is None or (found.end() < len(inner) and inner[found.end()] != ","):
            raise InvalidRequest("a quote of the list is not closed, or something follows it")
        value = _unquoted(found[0])
        if value == ("", False):
            raise InvalidRequest("a value of the list is missing")
        values.append(value)
        if found.end() == len(inner):
            return values
        at = found.end() + 1


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
