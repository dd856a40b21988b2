"""The tables of the read models, made of a history's files by DuckDB: the same SQL is put to them.

Sums are exact: DuckDB adds 64-bit integers up in 128 bits, and `/` is set to divide integers as the log's databases do.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from ...domain.errors import StoreCorrupted, StoreUnavailable
from ...projections.attempt_columns import ATTEMPTS as ATTEMPT_TABLE
from ...projections.attempts import ESCALATIONS as ESCALATION_TABLE
from ...projections.costs import RUN_COSTS
from ...projections.dimensions import DIMENSIONS
from ...projections.projection import Names, Row
from ...projections.runs import RUN_TAGS, RUNS
from .folder import Folder
from .schema import KINDS, Kind, duckdb

MEMORY = "2GB"  # what DuckDB may take; beyond that it uses a temporary file
_EVERY = "every_"  # before a kind: all of its rows, those too that later ones replace
A_FETCH = 1000  # rows
_TYPES = {Kind.TEXT: "VARCHAR", Kind.INTEGER: "BIGINT", Kind.TAGS: "MAP(VARCHAR, VARCHAR)"}
_PATTERN = re.compile(r"[*?[]")  # what DuckDB takes for a pattern in a path; between brackets it stands for itself
_DIMENSION = "concat_ws(chr(31), strategy, category, run_money, owner, {model})"


class DuckTables:
    """A connection whose views are a history's rows. It is read only."""

    dialect = "duckdb"

    def __init__(self, connection: Any, folder: Folder, views: Mapping[str, Mapping[str, str]]) -> None:
        """`views` by name, of the rows of each kind."""
        self._connection = connection
        self._folder = folder
        self._waiting = dict(views)

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows. Raises StoreCorrupted for a file that cannot be read, StoreUnavailable where memory is short."""
        with translated(self._folder):
            self._make(sql)
            return _plain(self._connection.execute(sql, list(parameters)).fetchall())

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        """The rows as they are fetched."""
        with translated(self._folder):
            self._make(sql)
            cursor = _silent(self._connection.cursor()).execute(sql, list(parameters))
        while rows := self._fetched(cursor):
            yield from rows

    def _fetched(self, cursor: Any) -> list[Row]:
        with translated(self._folder):
            return _plain(cursor.fetchmany(A_FETCH))

    def _make(self, sql: str) -> None:
        """Make the views of the kinds that a question is the first to name."""
        for kind in [kind for kind, views in self._waiting.items() if any(name in sql for name in (kind, *views))]:
            _make_rows(self._connection, self._folder, kind)
            for name, query in self._waiting.pop(kind).items():
                self._connection.execute(f"CREATE VIEW {name} AS {query}")


def _plain(rows: list[Row]) -> list[Row]:
    """Tags as the log's databases have them: a JSON object."""
    if not rows or not any(isinstance(one, dict) for one in rows[0]):
        return rows
    return [
        tuple(msgspec.json.encode(one, order="sorted").decode() if isinstance(one, dict) else one for one in row)
        for row in rows
    ]


@contextmanager
def duckdb_on(folder: Folder, threads: int | None = None) -> Iterator[Any]:
    """A DuckDB in memory, its settings made. Raises ConfigurationError where it is not installed."""
    engine = duckdb()
    with tempfile.TemporaryDirectory(prefix="model-orchestrator-") as spill:
        settings = {"memory_limit": MEMORY, "temp_directory": spill, "threads": threads or os.cpu_count() or 1}
        with translated(folder), engine.connect(":memory:", config=settings) as connection:
            connection.execute("SET GLOBAL integer_division = true")  # global: a cursor does not take over local ones
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
            connection.execute("SET GLOBAL parquet_metadata_cache = true")
            connection.execute("SET GLOBAL enable_external_file_cache = false")  # the system keeps files already
            connection.execute("SET GLOBAL preserve_insertion_order = false")
            yield _silent(connection)


def _silent(connection: Any) -> Any:
    """Without the progress that DuckDB prints to stdout where it takes a process for an interactive one, as a worker's.

    This setting is local to a connection or cursor.
    """
    connection.execute("SET enable_progress_bar = false")
    return connection


@contextmanager
def translated(folder: Folder) -> Iterator[None]:
    """DuckDB's errors in our words."""
    engine = duckdb()
    try:
        yield
    except engine.OutOfMemoryException as error:
        raise StoreUnavailable(f"{folder.path}: DuckDB needs more than {MEMORY} for this: ask for less time") from error
    except (engine.Error, UnicodeDecodeError) as error:
        if isinstance(error, _not_of_files(engine)):
            raise
        why = str(error).splitlines()[0]
        raise StoreCorrupted(
            f"{folder.path}: a file cannot be read ({why}): export anew into an empty folder"
        ) from error


def _not_of_files(engine: Any) -> tuple[type[Exception], ...]:
    """A query that is wrong or interrupted. What a damaged file makes of itself comes as any other kind, or as none."""
    return engine.ParserException, engine.BinderException, engine.CatalogException, engine.InterruptException


@contextmanager
def history_tables(folder: Folder, attempts: Names, runs: Names, threads: int | None = None) -> Iterator[DuckTables]:
    """The tables of the read models `attempts` and `runs` by these names, as the folder's last position has them."""
    views = {
        "attempts": {attempts(ATTEMPT_TABLE.name): "SELECT * FROM attempts"},
        "escalations": {
            attempts(ESCALATION_TABLE.name): (
                f"SELECT *, {_DIMENSION.format(model='from_model')} AS from_dim, "
                f"{_DIMENSION.format(model='to_model')} AS to_dim FROM escalations"
            ),
            attempts(DIMENSIONS.name): " UNION ".join(
                f"SELECT {_DIMENSION.format(model=model)} AS dim, category, strategy, {model} AS model, "
                "'' AS provider, run_money AS money, '' AS status, owner FROM escalations"
                for model in ("from_model", "to_model")
            ),
        },
        "runs": {
            attempts(RUN_COSTS.name): (
                "SELECT run, attempts, open, lost, cost, charged AS money, model FROM runs WHERE attempts > 0"
            ),
            runs(RUNS.name): "SELECT * FROM runs",
            runs(RUN_TAGS.name): (
                "SELECT run, unnest(map_keys(tags)) AS key, unnest(map_values(tags)) AS value FROM runs"
            ),
        },
    }
    with duckdb_on(folder, threads) as connection:
        yield DuckTables(connection, folder, views)


def _make_rows(connection: Any, folder: Folder, kind: str) -> None:
    """A view of the rows of a kind: of each run those that are true at the last position."""
    files, late = folder.files(kind), folder.late_files(kind)
    if not files:
        columns = (f"CAST(NULL AS {_TYPES.get(one.kind, 'VARCHAR')}) AS {one.name}" for one in KINDS[kind])
        connection.execute(f"CREATE VIEW {_EVERY}{kind} AS SELECT {', '.join(columns)} WHERE false")
        connection.execute(f"CREATE VIEW {kind} AS SELECT * FROM {_EVERY}{kind}")
        return
    connection.execute(f"CREATE VIEW {_EVERY}{kind} AS SELECT * FROM read_parquet({listed(files)})")
    rows = f"SELECT * FROM {_EVERY}{kind}"
    if late:
        connection.execute(
            f"CREATE TABLE late_{kind} AS SELECT stream_position, max(upto) AS upto "
            f"FROM read_parquet({listed(late)}) GROUP BY stream_position"
        )
        rows += (
            f" r WHERE NOT EXISTS (SELECT 1 FROM late_{kind} l "
            "WHERE l.stream_position = r.stream_position AND l.upto > r.upto)"
        )
    connection.execute(f"CREATE VIEW {kind} AS {rows}")


def listed(files: Sequence[str]) -> str:
    """What read_parquet is told of files, of these and no others; their rows have a day of their own."""
    quoted = (_PATTERN.sub(r"[\g<0>]", file).replace("'", "''") for file in files)
    return "[" + ", ".join(f"'{file}'" for file in quoted) + "], hive_partitioning = false"
