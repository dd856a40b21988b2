"""The log as its database holds it, in stretches, without the cost of decoding: for verification."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from ...domain.errors import ConfigurationError
from ..database_url import MEMORY
from .opening import sqlite_file
from .sqlite_connection import connect_reader, translated
from .sqlite_transaction import COLUMNS
from .verify import RawEvent

# Events in one statement: no snapshot is held for long, and the rows stay in the processor's cache.
PAGE = 500
POSTGRES_PAGE = 1500  # a page costs a round trip too


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a log ends, and begins, in one look at it."""

    head: int
    head_chain: bytes
    first: int  # lowest position; 0 for none
    last: int  # highest position; 0 for none
    last_chain: bytes | None  # of the event at the head


class RawLog(Protocol):
    """An open log. Blocking."""

    def ends(self) -> Ends:
        """Where it ends, in one snapshot."""

    def link(self, position: int) -> tuple[bytes, int] | None:
        """The chain hash and recorded_at of the event there."""

    def page(self, after: int, upto: int) -> list[RawEvent]:
        """The next events above `after`, in order; none at the end."""


class _SqliteLog:
    def __init__(self, connection: Any) -> None:
        self._connection = connection
        connection.text_factory = bytes

    def ends(self) -> Ends:
        return Ends(*self._connection.execute(_ENDS.replace("log.", "")).fetchone())

    def link(self, position: int) -> tuple[bytes, int] | None:
        query = "SELECT chain_hash, recorded_at FROM events WHERE position = ?"
        found: tuple[bytes, int] | None = self._connection.execute(query, (position,)).fetchone()
        return found

    def page(self, after: int, upto: int) -> list[RawEvent]:
        query = f"SELECT {COLUMNS} FROM events WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"
        rows: list[RawEvent] = self._connection.execute(query, (after, upto, PAGE)).fetchall()
        return rows


class _PostgresLog:
    def __init__(self, connection: Any) -> None:
        from psycopg.types.string import ByteaBinaryLoader

        self._connection = connection
        connection.execute("SET client_encoding TO 'UTF8'")
        connection.adapters.register_loader("text", ByteaBinaryLoader)  # as it is, where decoding would cost as much

    def ends(self) -> Ends:
        return Ends(*self._ask(_ENDS).fetchone())

    def link(self, position: int) -> tuple[bytes, int] | None:
        query = "SELECT chain_hash, recorded_at FROM log.events WHERE position = %s"
        found: tuple[bytes, int] | None = self._ask(query, position).fetchone()
        return found

    def page(self, after: int, upto: int) -> list[RawEvent]:
        query = f"SELECT {COLUMNS} FROM log.events WHERE position > %s AND position <= %s ORDER BY position LIMIT %s"
        rows: list[RawEvent] = self._ask(query, after, upto, POSTGRES_PAGE).fetchall()
        return rows

    def _ask(self, query: str, *parameters: int) -> Any:
        return self._connection.execute(query, parameters, binary=True)


_ENDS = (
    "SELECT h.position, h.chain_hash, coalesce((SELECT min(position) FROM log.events), 0), "
    "coalesce((SELECT max(position) FROM log.events), 0), "
    "(SELECT e.chain_hash FROM log.events e WHERE e.position = h.position) FROM log.log_head h"
)


@contextmanager
def raw_log(database_url: str) -> Iterator[RawLog]:
    """The log at an address, which must be there. Raises StoreError, ConfigurationError for one in memory."""
    if database_url == MEMORY:
        raise ConfigurationError("a log in memory cannot be looked at from outside: name a file or a server")
    path = sqlite_file(database_url)
    if path is not None:
        with translated(path):
            connection = connect_reader(path)
            try:
                yield _SqliteLog(connection)
            finally:
                connection.close()
        return
    from .postgres_connection import check_schema, connect
    from .postgres_connection import translated as translated_postgres

    with connect(database_url) as server, translated_postgres(database_url):
        check_schema(database_url, server)
        yield _PostgresLog(server)
