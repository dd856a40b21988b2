"""Imported data sets on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg

from .dataset_tables import DatasetTables, Writing
from .postgres_connection import Connection, check_schema, connect, translated
from .postgres_reader import ReadConnections

_ALONE: LiteralString = "LOCK TABLE log.datasets IN SHARE ROW EXCLUSIVE MODE"  # one import at a time; reads go on
_COPY: LiteralString = "COPY log.dataset_rows (dataset, number, prompt, body) FROM STDIN"


class PostgresDatasets(DatasetTables):
    """In the schema `log` of the database at `url`, which `db upgrade` has prepared."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connections = ReadConnections(url)
        self._connections.run(lambda connection: check_schema(url, connection))

    def close(self) -> None:
        """Close the idle connections."""
        self._connections.close()

    def _rows(self, query: LiteralString, *values: object) -> list[Any]:
        return self._connections.run(lambda connection: _rows(connection, query, values))

    @contextmanager
    def _writing(self) -> Iterator[Writing]:
        with connect(self._url) as connection, translated(self._url), connection.transaction():
            connection.execute(_ALONE)
            yield _PostgresWriting(connection)


class _PostgresWriting(Writing):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, query: LiteralString, *values: object) -> list[Any]:
        return _rows(self._connection, query, values)

    def add_rows(self, rows: Iterator[tuple[str, int, bytes | None, str]]) -> None:
        with self._connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row(row)


def _rows(connection: psycopg.Connection[Any], query: LiteralString, values: tuple[object, ...]) -> list[Any]:
    cursor = connection.execute(query, values)
    return cursor.fetchall() if cursor.description else []
