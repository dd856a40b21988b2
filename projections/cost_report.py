"""Questions to `costs`: calls, tokens and money of ranges of time, by whatever reports group by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from ..domain.units import MILLION
from .attempt_columns import ATTEMPTS
from .costs import COSTS, GRAINS, MEASURES
from .dimensions import DIMENSIONS, WORDS
from .filters import Condition, expression, tag_of, where
from .grains import BASE, Piece, pieces
from .projection import Names, Row, Tables

Range = tuple[int, int]  # [since, until), microseconds
_WORDS = {word: f"d.{word}" for word in WORDS}
BASE_FIELDS = {name: f"s.{name}" for name in ("run", "number", *ATTEMPTS.names[2:]) if name != "tags"}
_SUMS = ", ".join(f"sum({measure})" for measure in MEASURES)
_BASE_SUMS = ", ".join(f"sum({expression})" for expression in MEASURES.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """One group of one range. Money is never mixed: there is a row for each kind."""

    period: int  # which of the ranges asked for, from 0
    money: str  # real, simulated or recorded
    group: tuple[str | None, ...]  # the values grouped by, in their order; None: the run has no such tag
    calls: int
    retries: int
    unpriced: int  # calls whose cost is unknown: without a price, under way or lost
    estimated: int
    assumed: int
    cost: int  # picodollars, of the calls whose cost is known
    input_uncached: int
    cache_read: int
    cache_write: int
    output: int  # without reasoning
    reasoning: int
    latency: int  # microseconds, the sum over `timed` calls
    timed: int
    confidence: int  # millionths, the sum over `scored` calls
    scored: int


Key = tuple[object, ...]  # period, money, group...
Sums = dict[Key, list[int]]
_COST_AT = list(MEASURES).index("cost_micros")


def costs(
    tables: Tables,
    names: Names,
    *,
    by: Sequence[str] = (),
    ranges: Sequence[Range],
    conditions: Sequence[Condition] = (),
) -> list[CostRow]:
    """A row a range, kind of money and group, sorted. `by` are words of dimensions.py, tag:KEY, or any attempt's field.

    Raises InvalidRequest for a field that is not there.
    """
    asked = [*by, *(one.field for one in conditions)]
    tags = {key for name in asked if (key := tag_of(name)) is not None}
    simple = len(tags) < 2 and all(tag_of(name) is not None or name in WORDS for name in asked)
    simple = simple and not any(tag_of(one.field) is not None and one.value is None for one in conditions)
    sums: Sums = {}
    found = list(pieces(ranges, GRAINS if simple else ()))
    if rolled := [one for one in found if one.grain != BASE]:
        _add_sums(tables, names, by, rolled, conditions, next(iter(tags), None), sums)
    _add_base(tables, names, by, [one for one in found if one.grain == BASE], conditions, sums)
    return sorted(
        (_row(key, values) for key, values in sums.items() if values[0]),
        key=lambda row: (row.period, row.money, tuple((word is None, word or "") for word in row.group)),
    )


def _add_sums(
    tables: Tables,
    names: Names,
    by: Sequence[str],
    found: Sequence[Piece],
    conditions: Sequence[Condition],
    tag: str | None,
    sums: Sums,
) -> None:
    """From the roll-up. Runs without the tag grouped by: all, less those that have it."""
    for row in _rolled(tables, names, by, found, conditions, tag):
        _add(sums, row, len(by), 1)
    if tag is None or not any(tag_of(name) == tag for name in by) or any(tag_of(one.field) for one in conditions):
        return
    words = [name for name in by if tag_of(name) is None]
    places = [number for number, name in enumerate(by) if tag_of(name) is not None]
    for sign, key in ((1, None), (-1, tag)):
        for row in _rolled(tables, names, words, found, conditions, key):
            group = list(row[2 : 2 + len(words)])
            for place in places:
                group.insert(place, None)
            _add(sums, (*row[:2], *group, *row[2 + len(words) :]), len(by), sign)


def _rolled(
    tables: Tables,
    names: Names,
    by: Sequence[str],
    found: Sequence[Piece],
    conditions: Sequence[Condition],
    tag: str | None,
) -> list[Row]:
    marks = ", ".join(["(?, ?, ?, ?)"] * len(found))
    places = [value for one in found for value in (one.period, one.grain, one.since, one.until)]
    on_words = [one for one in conditions if tag_of(one.field) is None]
    on_tag = [Condition("tag_value", one.op, one.value) for one in conditions if tag_of(one.field) is not None]
    inner, outer = where(on_tag, {"tag_value": "c.tag_value"}, ""), where(on_words, _WORDS, "")
    groups = ["x.tag_value" if tag_of(name) is not None else _WORDS[name] for name in by]
    measures = ", ".join(f"sum(c.{measure}) AS {measure}" for measure in MEASURES)
    keys = ", ".join(str(number) for number in range(1, 3 + len(by)))
    query = (
        f"WITH p(period, grain, since, until) AS (VALUES {marks}) "
        f"SELECT {', '.join(['x.period', 'd.money', *groups])}, {_SUMS} FROM ("
        f"SELECT p.period, c.dim, c.tag_value, {measures} FROM p JOIN {names(COSTS.table.name)} c "
        "ON c.grain = p.grain AND c.tag_key = ? AND c.at >= p.since AND c.at < p.until "
        f"WHERE {inner.text} GROUP BY p.period, c.dim, c.tag_value) x "
        f"JOIN {names(DIMENSIONS.name)} d ON d.dim = x.dim WHERE {outer.text} GROUP BY {keys}"
    )
    return tables.execute(query, (*places, tag or "", *inner.parameters, *outer.parameters))


def _add_base(
    tables: Tables,
    names: Names,
    by: Sequence[str],
    found: Sequence[Piece],
    conditions: Sequence[Condition],
    sums: Sums,
) -> None:
    """From the attempts themselves: what is finer than an hour, and fields that no roll-up keeps."""
    groups = [expression(name, BASE_FIELDS, "s.tags") for name in by]
    which = where(conditions, BASE_FIELDS, "s.tags")
    keys = ", ".join(str(number) for number in range(1, 2 + len(by)))
    chosen = ", ".join(["s.money", *(group.text for group in groups)])
    query = (
        f"SELECT {chosen}, {_BASE_SUMS} FROM {names(ATTEMPTS.name)} s "
        f"WHERE s.run_at >= ? AND s.run_at < ? AND {which.text} GROUP BY {keys}"
    )
    selected = [value for group in groups for value in group.parameters]
    for one in found:
        for row in tables.execute(query, (*selected, one.since, one.until, *which.parameters)):
            _add(sums, (one.period, *row), len(by), 1)


def _add(sums: Sums, row: Row, width: int, sign: int) -> None:
    key, values = row[: 2 + width], row[2 + width :]
    known = sums.setdefault(key, [0] * len(MEASURES))
    for index, value in enumerate(values):
        known[index] += sign * int(value)


def _row(key: Key, values: Sequence[int]) -> CostRow:
    cost = values[_COST_AT] * MILLION + values[_COST_AT + 1]
    period, money, *group = key
    figures = dict(zip(MEASURES, values, strict=True)) | {"cost": cost}
    chosen = {field.name: figures[field.name] for field in fields(CostRow)[3:]}
    return CostRow(period=int(str(period)), money=str(money), group=tuple(_word(one) for one in group), **chosen)


def _word(value: object) -> str | None:
    return None if value is None else str(value)
