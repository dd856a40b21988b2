"""The fold protocol: how a read model comes out of the log.

A fold is zero, add and merge over accumulators of integers, so batches merge in any order. `apply` brings what one
accumulator holds into the tables; accumulators are applied in the order of the log, each in one transaction with the
checkpoint. Roll-ups are sums over a base table's rows: a step takes away what the touched rows said before and adds
what they say now, so a late fact corrects them exactly, and a rebuild gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from ..domain.units import MILLION
from .facts import Fact

Row = tuple[Any, ...]
HOUR = 3600 * MILLION
DAY = 24 * HOUR
A_QUERY = 500  # values of one IN list


class Tables(Protocol):
    """A connection inside a transaction. Parameters are written `?`."""

    dialect: str  # sqlite or postgresql

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows, if any."""

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Many new rows."""

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        """The rows, as many at a time as are needed."""


class Projection(Protocol):
    """One read model, or several that share a fold. `version` changes with the fold or the tables."""

    name: str
    version: int
    types: tuple[str, ...]  # of the events it wants
    tables: tuple[Table, ...]

    def zero(self) -> Any:
        """An empty accumulator."""

    def add(self, batch: Any, fact: Fact) -> None:
        """Take in one event. Raises ValueError for one that cannot be folded."""

    def merge(self, batch: Any, other: Any) -> Any:
        """Both accumulators together; the order does not matter. May use up its arguments."""

    def prepare(self, batch: Any) -> None:
        """Finish the rows of runs that begin in the batch, ahead of `apply`; nothing can be merged into it then."""

    def apply(self, tables: Tables, names: Names, batch: Any) -> None:
        """Bring what an accumulator holds into the tables; uses it up."""


class Names:
    """From a table's name to that of one generation of it: `attempts` to `attempts_v1_2`."""

    def __init__(self, version: int, generation: int, schema: str = "") -> None:
        self._suffix = f"_v{version}_{generation}"
        self._schema = schema

    def __call__(self, table: str) -> str:
        """The table as SQL names it."""
        return f"{self._schema}{table}{self._suffix}"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a read model. Types are TEXT, INTEGER or JSON."""

    name: str
    columns: tuple[tuple[str, str], ...]  # name, type
    key: tuple[str, ...]
    indexes: tuple[str, ...] = ()  # what stands behind ON table, such as (started_at) or (calls) WHERE calls = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns."""
        return tuple(name for name, _ in self.columns)

    def create(self, tables: Tables, name: str, *, staging: bool = False) -> None:
        """Make it, empty; a staging table is the transaction's own, with a column `sign` behind the others."""
        postgresql = tables.dialect == "postgresql"
        types = {"TEXT": 'text COLLATE "C"', "INTEGER": "bigint", "JSON": "jsonb"} if postgresql else {"JSON": "TEXT"}
        columns = [f"{column} {types.get(kind, kind)}" for column, kind in self.columns]
        if staging:
            end = " ON COMMIT DROP" if postgresql else ""
            tables.execute(f"CREATE TEMP TABLE {name} ({', '.join(columns)}, sign INTEGER DEFAULT 1){end}")
            return
        kind = "UNLOGGED TABLE" if postgresql else "TABLE"
        end = "" if postgresql else " WITHOUT ROWID"
        key = f"PRIMARY KEY ({', '.join(self.key)})"
        tables.execute(f"CREATE {kind} {name} ({', '.join(columns)}, {key}){end}")
        bare = name.rpartition(".")[2]
        for number, index in enumerate(self.indexes):
            tables.execute(f"CREATE INDEX {bare}_i{number} ON {name} {index}")


@dataclass(frozen=True, slots=True)
class Rollup:
    """Sums over a base table's rows. `select` gives key and measures of each row of `{staged}`, to be summed by key."""

    table: Table
    keys: tuple[str, ...]
    measures: tuple[str, ...]
    selects: tuple[str, ...]  # each: SELECT keys..., sum(sign * measure)... FROM {staged} ... GROUP BY ...

    def add(self, tables: Tables, name: str, staged: str) -> None:
        """Bring the staged rows, each with its sign, into the sums."""
        columns = ", ".join((*self.keys, *self.measures))
        bare = name.rpartition(".")[2]
        changes = ", ".join(f"{one} = {bare}.{one} + excluded.{one}" for one in self.measures)
        for select in self.selects:
            sums = select.format(staged=f"{staged} s", **TAGS[tables.dialect])
            tables.execute(
                f"INSERT INTO {name} AS {bare} ({columns}) {sums} "
                f"ON CONFLICT ({', '.join(self.table.key)}) DO UPDATE SET {changes}"
            )

    def sweep(self, tables: Tables, name: str) -> None:
        """Take out the rows that nothing stands behind any more."""
        tables.execute(f"DELETE FROM {name} WHERE {self.measures[0]} = 0")


TAGS = {
    "sqlite": {"tags": "json_each(s.tags) AS tag"},
    "postgresql": {"tags": "jsonb_each_text(s.tags) AS tag"},
}


def grouped(source: str, keys: dict[str, str], measures: dict[str, str], where: str = "true") -> str:
    """A roll-up's select: expressions over the staged rows `s`, by the name of the column they go to."""
    chosen = [*keys.values(), *(f"sum(s.sign * ({expression}))" for expression in measures.values())]
    positions = ", ".join(str(number) for number in range(1, len(keys) + 1))
    return f"SELECT {', '.join(chosen)} FROM {source} WHERE {where} GROUP BY {positions}"


def replace_rows(
    tables: Tables,
    names: Names,
    table: Table,
    rollups: Sequence[Rollup],
    *,
    old: Sequence[Row],
    new: Sequence[Row],
) -> None:
    """Put `new` rows where the `old` ones stood, and correct the roll-ups by the difference."""
    if not old and not new:
        return
    name, staged = names(table.name), f"staged_{table.name}"
    table.create(tables, staged, staging=True)
    if old:
        tables.insert(staged, table.names, old)
        tables.execute(f"UPDATE {staged} SET sign = -1")
    tables.insert(staged, table.names, new)
    listed = ", ".join(table.names)
    others = [column for column in table.names if column not in table.key]
    changes = ", ".join(f"{column} = excluded.{column}" for column in others)
    tables.execute(
        f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {staged} WHERE sign = 1 "
        f"ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {changes}"
    )
    for rollup in rollups:
        rollup.add(tables, names(rollup.table.name), staged)
        if old:
            rollup.sweep(tables, names(rollup.table.name))
    tables.execute(f"DROP TABLE {staged}")


def rows_of(tables: Tables, name: str, columns: Sequence[str], column: str, values: Sequence[str]) -> list[Row]:
    """The rows whose `column` is one of the values."""
    found: list[Row] = []
    for start in range(0, len(values), A_QUERY):
        some = values[start : start + A_QUERY]
        marks = ", ".join("?" * len(some))
        found += tables.execute(f"SELECT {', '.join(columns)} FROM {name} WHERE {column} IN ({marks})", some)
    return found


def month_of(at: int) -> int:
    """The first microsecond of the UTC month."""
    return _month_of_day(at // DAY)


@lru_cache(maxsize=10_000)
def _month_of_day(day: int) -> int:
    moment = datetime.fromtimestamp(day * DAY // MILLION, UTC)
    return int(datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp()) * MILLION
