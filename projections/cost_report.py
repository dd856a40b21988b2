"""Questions to `costs`: calls, tokens and money of ranges of time, by whatever reports group by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from math import gcd

from ..domain.filters import Compare, Condition, conjuncts, touched
from ..domain.units import MILLION
from .attempt_columns import ATTEMPTS
from .costs import COSTS, GRAINS, MEASURES
from .dimensions import DIMENSIONS, WORDS
from .filter_sql import Columns, Sql, grouping, json_tag, tag_of, where
from .grains import BASE, Piece, pieces
from .projection import HOUR, Names, Queryable, Row, kept

Range = tuple[int, int]  # [since, until), microseconds
_WORDS = {word: f"d.{word}" for word in WORDS}
BASE_FIELDS = {name: f"s.{name}" for name in ATTEMPTS.names if name != "tags"} | {"started": "s.run_at"}
A_QUERY = 2000  # pieces of time
QUARTER = HOUR // 4  # microseconds: what days of every zone begin with
_NO_TAG = "CAST(NULL AS TEXT)"
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
    tables: Queryable,
    names: Names,
    *,
    by: Sequence[str] = (),
    ranges: Sequence[Range],
    conditions: Sequence[Condition] = (),
) -> list[CostRow]:
    """A row a range, kind of money and group, sorted. `by` are words of dimensions.py, tag:KEY, or any attempt's field.

    Raises InvalidRequest for a field that is not there.
    """
    parts = list(conjuncts(conditions))
    asked = {(name, tag_of(name)) for name in by} | {field for one in parts for field in touched(one)}
    tags = {key for _, key in asked if key is not None}
    simple = len(tags) < 2 and all(key is not None or name in WORDS for name, key in asked)
    sums: Sums = {}
    found = list(pieces(ranges, kept(tables, GRAINS) if simple else ()))
    rolled = [one for one in found if one.grain != BASE]
    for start in range(0, len(rolled), A_QUERY):
        rollup = _Rollup(tables, names, by, rolled[start : start + A_QUERY], parts)
        rollup.add_to(sums, next(iter(tags), None))
    _add_base(tables, names, by, [one for one in found if one.grain == BASE], parts, sums)
    return sorted(
        (_row(key, values) for key, values in sums.items() if values[0]),
        key=lambda row: (row.period, row.money, tuple((word is None, word or "") for word in row.group)),
    )


@dataclass(frozen=True, slots=True)
class _Rollup:
    """Sums of whole hours, days and months, of conditions on words and on one tag at most."""

    tables: Queryable
    names: Names
    by: Sequence[str]
    found: Sequence[Piece]
    conditions: Sequence[Condition]

    def add_to(self, sums: Sums, tag: str | None) -> None:
        """Runs that have the tag by its value; those without it are all, less those that have it."""
        self._add(sums, 1, tag or "", "x.tag_value")
        if tag is not None and not any(isinstance(one, Compare) and one.key == tag for one in self.conditions):
            self._add(sums, 1, "", _NO_TAG)
            self._add(sums, -1, tag, _NO_TAG)

    def _add(self, sums: Sums, sign: int, key: str, value: str) -> None:
        """The rows under a tag's key, as if the tag's value were `value`."""
        marks = ", ".join(["(?, ?, ?, ?)"] * len(self.found))
        places = [place for one in self.found for place in (one.period, one.grain, one.since, one.until)]
        on_tag = [one for one in self.conditions if all(tag is not None for _, tag in touched(one))]
        inner = where(on_tag, self._columns({}, value.replace("x.", "c.")))
        outer = where([one for one in self.conditions if one not in on_tag], self._columns(_WORDS, value))
        groups = [value if tag_of(name) is not None else _WORDS[name] for name in self.by]
        measures = ", ".join(f"sum(c.{measure}) AS {measure}" for measure in MEASURES)
        keys = ", ".join(str(number) for number in range(1, 3 + len(self.by)))
        query = (
            f"WITH p(period, grain, since, until) AS (VALUES {marks}) "
            f"SELECT {', '.join(['x.period', 'd.money', *groups])}, {_SUMS} FROM ("
            f"SELECT p.period, c.dim, c.tag_value, {measures} FROM p JOIN {self.names(COSTS.table.name)} c "
            "ON c.grain = p.grain AND c.tag_key = ? AND c.at >= p.since AND c.at < p.until "
            f"WHERE {inner.text} GROUP BY p.period, c.dim, c.tag_value) x "
            f"JOIN {self.names(DIMENSIONS.name)} d ON d.dim = x.dim WHERE {outer.text} GROUP BY {keys}"
        )
        for row in self.tables.execute(query, (*places, key, *inner.parameters, *outer.parameters)):
            _add(sums, row, len(self.by), sign)

    def _columns(self, of: Mapping[str, str], value: str) -> Columns:
        return Columns(dialect=self.tables.dialect, of=of, tag=lambda key: Sql(value))


def _add_base(
    tables: Queryable,
    names: Names,
    by: Sequence[str],
    found: Sequence[Piece],
    conditions: Sequence[Condition],
    sums: Sums,
) -> None:
    """From the attempts themselves: what is finer than an hour, and fields that no roll-up keeps."""
    columns = base_columns(tables.dialect)
    groups = [grouping(name, columns) for name in by]
    which = where(conditions, columns)
    keys = ", ".join(str(number) for number in range(1, 2 + len(by)))
    chosen = ", ".join(["s.money", *(group.text for group in groups)])
    query = (
        f"SELECT {chosen}, {_BASE_SUMS} FROM {names(ATTEMPTS.name)} s "
        f"WHERE s.run_at >= ? AND s.run_at < ? AND {which.text} GROUP BY {keys}"
    )
    selected = [value for group in groups for value in group.parameters]
    rest = found
    if tables.dialect == "duckdb":
        whole = [one for one in found if _is_whole(one)]
        rest = [one for one in found if one not in whole]
        for row in _by_step(tables, query, keys, selected, whole, which.parameters) if whole else ():
            _add(sums, row, len(by), 1)
    for one in rest:
        for row in tables.execute(query, (*selected, one.since, one.until, *which.parameters)):
            _add(sums, (one.period, *row), len(by), 1)


def _is_whole(piece: Piece) -> bool:
    """Whether it begins and ends with a quarter of an hour, as the days of every time zone do."""
    return piece.since % QUARTER == piece.until % QUARTER == 0


def _by_step(
    tables: Queryable, query: str, keys: str, selected: Sequence[object], found: Sequence[Piece], met: Sequence[object]
) -> Iterator[Row]:
    """The rows of many ranges in one reading: summed first by the longest time that all of them are made of."""
    step = gcd(*(bound for one in found for bound in (one.since, one.until)))
    width = len(keys.split(", "))
    groups = ", ".join(f"g{number}" for number in range(width))
    measures = ", ".join(f"m{number}" for number in range(len(MEASURES)))
    summed = ", ".join(f"sum(x.m{number})" for number in range(len(MEASURES)))
    each = query.replace("SELECT ", f"SELECT s.run_at / {step}, ", 1)
    each = f"{each.removesuffix(keys)}{', '.join(str(number) for number in range(1, width + 2))}"
    outer = ", ".join(str(number) for number in range(1, width + 2))
    marks = ", ".join(["(CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT))"] * len(found))
    text = (
        f"WITH x(step, {groups}, {measures}) AS ({each}), p(period, since, until) AS (VALUES {marks}) "
        f"SELECT p.period, {groups}, {summed} FROM p JOIN x ON x.step >= p.since AND x.step < p.until "
        f"GROUP BY {outer}"
    )
    places = [place for one in found for place in (one.period, one.since // step, one.until // step)]
    span = (min(one.since for one in found), max(one.until for one in found))
    yield from tables.execute(text, (*selected, *span, *met, *places))


def base_columns(dialect: str) -> Columns:
    """An attempt's fields where its table is called s."""
    return Columns(dialect=dialect, of=BASE_FIELDS, tag=json_tag(dialect, "s.tags"))


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
