"""Where read models are kept: NAME.state.db beside a log file, the schema `views` on PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ...projections.projection import Row, Table, Tables
from ..store.opening import sqlite_path
from ..store.sqlite_connection import connect_reader, translated
from ..store.sqlite_state import state_path
from ..store.state_file import StateFile

T = TypeVar("T")
REGISTRY = """CREATE {kind} IF NOT EXISTS {schema}projections (
    name {text} NOT NULL,
    version {integer} NOT NULL,
    generation {integer} NOT NULL,
    live {integer} NOT NULL,
    checkpoint {integer} NOT NULL,
    chain {blob} NOT NULL,
    stopped_at {integer},
    stopped_type {text},
    stopped_why {text},
    CONSTRAINT pk_projections PRIMARY KEY (name, version, generation)
)"""
_SQLITE = REGISTRY.format(kind="TABLE", schema="", text="TEXT", integer="INTEGER", blob="BLOB")
_NULL = float("nan")  # which SQLite stores as NULL; to bind None takes Python's driver five times as long
A_FETCH = 1000  # rows
_CACHE = "PRAGMA cache_size=-65536"  # 64 MB
_SORTING = "PRAGMA cache_size=-16384"  # for a swap, which makes indexes: what is beyond it is sorted in files
_CHECKPOINT = "PRAGMA wal_autocheckpoint=8000"  # pages: a rebuild writes the same ones over and over


class State(Protocol):
    """Transactions on the read models' tables. Usable from any thread; sent to another process, opened there."""

    schema: str  # what stands before a table's name: nothing, or `views.`

    def write(self, work: Callable[[Tables], T], *, swap: bool = False) -> T:
        """What `work` returns, in one transaction; with `swap`, once nobody reads."""

    def reading(self) -> AbstractContextManager[Tables]:
        """One snapshot, for as long as the context lasts."""

    def kept(self) -> AbstractContextManager[None]:
        """While it lasts, transactions that follow each other need not connect anew."""

    def size(self) -> int:
        """Bytes it takes."""


class SqliteTables:
    """A connection, as read models use it."""

    dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self._connection = connection
        self._path = path or Path(":memory:")

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows, if any. Raises ValueError for a value no column can hold."""
        with translated(self._path), _refusals():
            return self._connection.execute(sql, parameters).fetchall()

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Many new rows. Raises ValueError for a value no column can hold."""
        marks = ", ".join("?" * len(columns))
        listed: Sequence[Sequence[Any]] = list(rows)
        if listed and None in listed[0]:
            listed = [[_NULL if value is None else value for value in row] for row in listed]
        with translated(self._path), _refusals():
            self._connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", listed)

    def add(self, table: Table, name: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Sums: measures are added to those of the same key. Raises ValueError for a value no column can hold."""
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})"
        with translated(self._path), _refusals():
            self._connection.executemany(f"{insert} {table.adding(name)}", rows)

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        """The rows as they are fetched."""
        with translated(self._path):
            cursor = self._connection.execute(sql, parameters)
        while rows := self._fetched(cursor):
            yield from rows

    def _fetched(self, cursor: sqlite3.Cursor) -> list[Row]:
        with translated(self._path):
            return cursor.fetchmany(A_FETCH)


@contextmanager
def _refusals() -> Iterator[None]:
    """What no column can hold as ValueError; the rest is the file's own trouble."""
    try:
        yield
    except (OverflowError, sqlite3.DataError, sqlite3.IntegrityError) as error:
        raise ValueError(str(error)) from error


class SqliteState:
    """The state file; or, without a path, a database of its own that vanishes with it."""

    schema = ""

    def kept(self) -> AbstractContextManager[None]:
        """Nothing to do: opening the file costs nothing."""
        return nullcontext()

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = StateFile(path, _SQLITE)
        self._made = False

    def __reduce__(self) -> tuple[type[SqliteState], tuple[Path]]:
        assert self._path is not None, "tables in memory cannot be shared"
        return SqliteState, (self._path,)

    def write(self, work: Callable[[Tables], T], *, swap: bool = False) -> T:
        """Alone among all who write the file; readers keep their snapshots."""

        def transaction(connection: sqlite3.Connection) -> T:
            connection.execute(f"PRAGMA temp_store={'FILE' if swap else 'MEMORY'}")
            connection.execute(_SORTING if swap else _CACHE)
            connection.execute(_CHECKPOINT)
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(SqliteTables(connection, self._path))
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            return result

        return self._file.run(transaction)

    @contextmanager
    def reading(self) -> Iterator[SqliteTables]:
        """A snapshot that no writer waits for."""
        if self._path is None:
            yield SqliteTables(self._file.run(lambda connection: connection), None)
            return
        if not (self._made and self._path.exists()):
            self._file.run(lambda connection: None)  # another user of the file may have made it, without our table
            self._made = True
        with translated(self._path):
            connection = connect_reader(self._path)
        with closing(connection):
            connection.execute(_CACHE)
            connection.execute("BEGIN")
            yield SqliteTables(connection, self._path)

    def size(self) -> int:
        """Of the file, its write-ahead log included."""
        if self._path is None:
            return 0
        files = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_state(url: str) -> State:
    """The state that belongs to a log."""
    if not url.startswith("sqlite:"):
        from .postgres import PostgresState

        return PostgresState(url)
    path = sqlite_path(url)
    return SqliteState(None if path is None else state_path(path))
