"""The fold protocol: how a read model comes out of the log.

A fold is zero, add and merge over accumulators of integers, so batches merge in any order. `apply` brings what one
accumulator holds into the tables; accumulators are applied in the order of the log, each in one transaction with the
checkpoint. Roll-ups are sums over a base table's rows: a step takes away what the touched rows said before and adds
what they say now, so a late fact corrects them exactly, and a rebuild gives the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import add, sub
from typing import Any, Protocol

from ..domain.units import MILLION

Row = tuple[Any, ...]
HOUR = 3600 * MILLION
DAY = 24 * HOUR
A_QUERY = 500  # values of one IN list


class Queryable(Protocol):
    """What questions are put to. Parameters are written `?`."""

    dialect: str  # sqlite, postgresql or duckdb

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows, if any."""

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        """The rows, as many at a time as are needed."""


class Tables(Queryable, Protocol):
    """A connection inside a transaction."""

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Many new rows."""

    def add(self, table: Table, name: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Sums: a row whose key is there has its measures added to, another is new."""


# Takes one event into an accumulator: its run, its version in the stream, when it was recorded, one of facts.LEAN.
# Raises ValueError for one that cannot be folded, and then has taken in nothing of it.
Add = Callable[[Any, str, int, int, Any], None]


class Projection(Protocol):
    """One read model, or several that share a fold. `version` changes with the fold or the tables."""

    name: str
    version: int
    adds: Mapping[str, Add]  # by the types of event it wants
    tables: tuple[Table, ...]

    def zero(self) -> Any:
        """An empty accumulator."""

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
    indexes: tuple[str, ...] = ()  # what folding itself needs; what stands behind ON table: (calls) WHERE calls = 0
    lookups: tuple[str, ...] = ()  # likewise, what questions need: a rebuild makes them at its end, in one go

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns."""
        return tuple(name for name, _ in self.columns)

    def adding(self, name: str) -> str:
        """The end of an INSERT of sums: what is there is added to."""
        summed = (column for column, kind in self.columns if kind == "INTEGER" and column not in self.key)
        bare = name.rpartition(".")[2]
        changes = ", ".join(f"{one} = {bare}.{one} + excluded.{one}" for one in summed)
        return f"ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {changes}"

    def create(self, tables: Tables, name: str) -> None:
        """Make it, empty."""
        postgresql = tables.dialect == "postgresql"
        types = {"TEXT": 'text COLLATE "C"', "INTEGER": "bigint", "JSON": "jsonb"} if postgresql else {"JSON": "TEXT"}
        columns = [f"{column} {types.get(kind, kind)}" for column, kind in self.columns]
        kind = "UNLOGGED TABLE" if postgresql else "TABLE"
        end = "" if postgresql else " WITHOUT ROWID"
        key = f"PRIMARY KEY ({', '.join(self.key)})"
        tables.execute(f"CREATE {kind} {name} ({', '.join(columns)}, {key}){end}")
        self._index(tables, name, "i", self.indexes)

    def open_to_questions(self, tables: Tables, name: str) -> None:
        """Make its lookups."""
        self._index(tables, name, "l", self.lookups)

    def _index(self, tables: Tables, name: str, kind: str, indexes: tuple[str, ...]) -> None:
        bare = name.rpartition(".")[2]
        for number, index in enumerate(indexes):
            tables.execute(f"CREATE INDEX {bare}_{kind}{number} ON {name} {index}")


Key = tuple[Any, ...]
Sums = dict[Key, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Rollup:
    """Sums over a base table's rows: `sums` gives the measures of some rows by key."""

    table: Table
    keys: tuple[str, ...]  # columns of the key, and what follows from it
    measures: tuple[str, ...]  # the first counts the rows that stand behind it
    sums: Callable[[Sequence[Row]], Sums]

    def write(self, tables: Tables, name: str, changes: Sums, *, sweep: bool) -> None:
        """Bring changes into the sums; with `sweep`, take out those that nothing stands behind any more."""
        rows = [(*key, *values) for key, values in changes.items() if any(values)]
        if rows:
            tables.add(self.table, name, (*self.keys, *self.measures), rows)
        if sweep:
            tables.execute(f"DELETE FROM {name} WHERE {self.measures[0]} = 0")


def add_sums(sums: Sums, other: Sums, sign: int = 1) -> None:
    """Bring other sums in, or, with a sign of -1, take them out."""
    step = add if sign > 0 else sub
    for key, values in other.items():
        known = sums.get(key)
        if known is None:
            sums[key] = values if sign > 0 else tuple(-value for value in values)
        else:
            sums[key] = tuple(map(step, known, values))


def replace_rows(
    tables: Tables,
    names: Names,
    table: Table,
    rollups: Sequence[Rollup],
    *,
    old: Sequence[Row],
    new: Sequence[Row],
    begun: Sequence[Row] = (),
    sums: Sequence[Sums] = (),
) -> None:
    """Put `new` rows where the `old` ones stood, add those that begin here, and correct the roll-ups.

    `sums` are of the rows that begin here, a roll-up each.
    """
    name = names(table.name)
    delete_runs(tables, name, sorted({row[0] for row in old}))
    tables.insert(name, table.names, [*new, *begun])
    for number, rollup in enumerate(rollups):
        changes = dict(sums[number]) if sums else {}
        add_sums(changes, rollup.sums(new))
        add_sums(changes, rollup.sums(old), -1)
        rollup.write(tables, names(rollup.table.name), changes, sweep=bool(old))


def kept(tables: Queryable, grains: Sequence[str]) -> Sequence[str]:
    """The grains of time that sums are kept by: none in DuckDB, which adds the rows themselves up."""
    return () if tables.dialect == "duckdb" else grains


def delete_runs(tables: Tables, name: str, runs: Sequence[str]) -> None:
    """Take the rows of some runs away."""
    for start in range(0, len(runs), A_QUERY):
        some = runs[start : start + A_QUERY]
        tables.execute(f"DELETE FROM {name} WHERE run IN ({', '.join('?' * len(some))})", some)


def rows_of(tables: Queryable, name: str, columns: Sequence[str], column: str, values: Sequence[str]) -> list[Row]:
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
