"""Read models on PostgreSQL: unlogged tables in the schema `views`, made on first use.

A crash of the server empties unlogged tables, and their checkpoints with them: they are then folded anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar, cast

import psycopg
from psycopg.types.string import TextLoader

from ...domain.errors import StoreCorrupted
from ...projections.projection import Row, Table, Tables
from ..database_url import masked
from ..store.postgres_connection import Connection, check_schema, connect, translated
from .kept_open import KeptOpen
from .lean_codec import LogRow
from .log_source import COLUMNS
from .state import REGISTRY

T = TypeVar("T")
_MAKING = 7230185003  # advisory locks: one process makes the registry
_READING = 7230185004  # readers share it; who swaps tables has it alone
_REGISTRY = REGISTRY.format(
    kind="UNLOGGED TABLE", schema="views.", text='text COLLATE "C"', integer="bigint", blob="bytea"
)


def _open(url: str) -> Connection:
    connection = connect(url)
    connection.adapters.register_loader("jsonb", TextLoader)
    connection.adapters.register_loader("numeric", _WholeLoader)
    return connection


class _WholeLoader(psycopg.adapt.Loader):
    """Sums of bigint are numeric, and whole."""

    def load(self, data: Any) -> int:
        return int(bytes(data))


class PostgresTables:
    """A connection, as read models use it."""

    dialect = "postgresql"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows, if any. Raises ValueError for a value no column can hold."""
        try:
            cursor = self._connection.execute(_marked(sql), tuple(parameters))
            return cursor.fetchall() if cursor.description else []
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise ValueError(error.diag.message_primary or str(error)) from error

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Many new rows. Raises ValueError for a value no column can hold."""
        try:
            with (
                self._connection.cursor() as cursor,
                cursor.copy(cast(Any, f"COPY {table} ({', '.join(columns)}) FROM STDIN")) as copy,
            ):
                for row in rows:
                    copy.write_row(row)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise ValueError(error.diag.message_primary or str(error)) from error

    def add(self, table: Table, name: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Sums: measures are added to those of the same key. Raises ValueError for a value no column can hold."""
        listed = ", ".join(columns)
        self.execute(f"CREATE TEMP TABLE added ON COMMIT DROP AS SELECT {listed} FROM {name} LIMIT 0")
        self.insert("added", columns, rows)
        self.execute(f"INSERT INTO {name} ({listed}) SELECT {listed} FROM added {table.adding(name)}")
        self.execute("DROP TABLE added")

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        """The rows as they are fetched."""
        with self._connection.cursor(name="rows") as cursor:
            cursor.itersize = 5000
            cursor.execute(_marked(sql), tuple(parameters))
            yield from cursor


def _marked(sql: str) -> Any:
    """With the driver's marks; a `%` is then an operator, written twice."""
    return sql.replace("%", "%%").replace("?", "%s")


class PostgresState:
    """The schema `views` of a database that `db upgrade` has prepared."""

    schema = "views."

    def __init__(self, url: str) -> None:
        self._url = url
        self._made = False
        self._connections = KeptOpen(lambda: _open(url))

    def __reduce__(self) -> tuple[type[PostgresState], tuple[str]]:
        return PostgresState, (self._url,)

    def kept(self) -> AbstractContextManager[None]:
        """While a question is answered, its many small transactions share connections."""
        return self._connections.kept()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with self._connections.borrowed() as connection:
            yield connection
            connection.execute("SELECT pg_advisory_unlock_all()")
            connection.isolation_level = None

    def write(self, work: Callable[[Tables], T], *, swap: bool = False) -> T:
        """What `work` returns, in one transaction, which need not wait for the disk."""
        with translated(self._url), self._connection() as connection:
            self._make(connection)
            if swap:
                connection.execute("SELECT pg_advisory_lock(%s)", (_READING,))  # until the connection is given back
            with connection.transaction():
                connection.execute("SET LOCAL synchronous_commit = off")
                return work(PostgresTables(connection))

    @contextmanager
    def reading(self) -> Iterator[PostgresTables]:
        """A snapshot; tables that it shows are not dropped meanwhile."""
        with translated(self._url), self._connection() as connection:
            self._make(connection)
            connection.execute("SELECT pg_advisory_lock_shared(%s)", (_READING,))
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with connection.transaction():
                yield PostgresTables(connection)

    def size(self) -> int:
        """Of the tables and their indexes."""
        query = "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c WHERE relkind = 'r' AND "
        with translated(self._url), _open(self._url) as connection:
            rows = connection.execute(cast(Any, query + "relnamespace = 'views'::regnamespace")).fetchall()
        return int(rows[0][0])

    def close(self) -> None:
        """Nothing stays open."""

    def _make(self, connection: Connection) -> None:
        if self._made:
            return
        check_schema(self._url, connection)
        if connection.execute("SELECT to_regclass('views.projections')").fetchall() == [(None,)]:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
                connection.execute(cast(Any, _REGISTRY))
        self._made = True


class PostgresLog:
    """A log on a server, read only."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = connect(url)

    def head(self) -> int:
        """The last position."""
        return int(self._ask("SELECT position FROM log.log_head")[0][0])

    def chain(self, position: int) -> bytes:
        """The chain's hash there."""
        rows: list[Any] = self._ask("SELECT chain_hash FROM log.events WHERE position = %s", position)
        return bytes(rows[0][0]) if rows else b""

    def rows(self, after: int, upto: int, types: Sequence[str]) -> Iterable[LogRow]:
        """The events."""
        where = "position > %s AND position <= %s AND type = ANY(%s)"
        return self._ask(f"SELECT {COLUMNS} FROM log.events WHERE {where} ORDER BY position", after, upto, list(types))

    def position_at(self, moment: int) -> int:
        """By halving: recorded_at never runs backwards."""
        low, high = 0, self.head()
        while low < high:
            middle = (low + high + 1) // 2
            (at,) = self._ask("SELECT recorded_at FROM log.events WHERE position = %s", middle)[0]
            low, high = (middle, high) if at <= moment else (low, middle - 1)
        return low

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, query: str, *parameters: object) -> list[Any]:
        with translated(self._url):
            try:
                return self._connection.execute(cast(Any, query), parameters, binary=True).fetchall()
            except UnicodeDecodeError:
                raise StoreCorrupted(f"{masked(self._url)}: a stored text is not valid UTF-8") from None


@contextmanager
def log_tables(url: str) -> Iterator[PostgresTables]:
    """The log's own tables, read only."""
    with translated(url), connect(url) as connection, connection.transaction():
        yield PostgresTables(connection)
