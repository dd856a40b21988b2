"""The tables of imported data sets, on both databases. Blocking; usable from any thread.

A set is imported in one transaction, so a killed import leaves nothing, and readers see the old set or the new one.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

from .database import file_of
from .file_lock import FileLock
from .sqlite_connection import connect_reader, connect_writer, translated
from .sqlite_schema import bring_up_to_date

PAGE = 100  # rows read at once
_COLUMNS: LiteralString = "name, digest, imported_at, source, licence, summary"
_EVERY: LiteralString = f"SELECT {_COLUMNS} FROM log.datasets ORDER BY name"
_ONE: LiteralString = f"SELECT {_COLUMNS} FROM log.datasets WHERE name = %s"
_PAGE: LiteralString = (
    "SELECT number, body FROM log.dataset_rows WHERE dataset = %s AND number > %s "
    "AND EXISTS (SELECT 1 FROM log.datasets WHERE name = %s AND digest = %s) ORDER BY number LIMIT %s"
)
_BY_PROMPT: LiteralString = (
    "SELECT body FROM log.dataset_rows WHERE dataset = %s AND prompt = %s ORDER BY number LIMIT 1"
)
_ADD: LiteralString = "INSERT INTO log.dataset_rows (dataset, number, prompt, body) VALUES (%s, %s, %s, %s)"
_ADD_SET: LiteralString = f"INSERT INTO log.datasets ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s)"
_REMOVE_ROWS: LiteralString = "DELETE FROM log.dataset_rows WHERE dataset = %s"
_REMOVE: LiteralString = "DELETE FROM log.datasets WHERE name = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDataset:
    """A row of `datasets`. `digest` is the SHA-256 of its rows, `imported_at` in microseconds UTC, `summary` JSON."""

    name: str
    digest: bytes
    imported_at: int
    source: str | None
    licence: str | None
    summary: str


Row = tuple[bytes | None, str]  # the SHA-256 of the prompt, the body


class Writing(ABC):
    """A write transaction."""

    @abstractmethod
    def rows(self, query: LiteralString, *values: object) -> list[Any]:
        """What a statement returns."""

    @abstractmethod
    def add_rows(self, rows: Iterator[tuple[str, int, bytes | None, str]]) -> None:
        """Insert these rows of a set."""


class DatasetTables(ABC):
    """The sets of one database. Raises StoreUnavailable, StoreTooNew, StoreCorrupted."""

    @abstractmethod
    def _rows(self, query: LiteralString, *values: object) -> list[Any]: ...

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Writing]: ...

    @abstractmethod
    def close(self) -> None:
        """Close its connections."""

    def every(self) -> list[StoredDataset]:
        """All sets, by name."""
        return [_stored(row) for row in self._rows(_EVERY)]

    def find(self, name: str) -> StoredDataset | None:
        """The set of that name."""
        return next((_stored(row) for row in self._rows(_ONE, name)), None)

    def bodies(self, dataset: StoredDataset) -> Iterator[str]:
        """Its rows in order, a page at a time; they end early where the set was replaced or removed meanwhile."""
        last = 0
        while page := self._rows(_PAGE, dataset.name, last, dataset.name, dataset.digest, PAGE):
            yield from (body for _, body in page)
            last = page[-1][0]

    def body_of(self, name: str, prompt: bytes) -> str | None:
        """The first row of the set with that prompt, by its SHA-256."""
        return next((body for (body,) in self._rows(_BY_PROMPT, name, prompt)), None)

    @contextmanager
    def replacing(self, name: str) -> Iterator[Replacing]:
        """What is done to the set of that name inside the block happens as a whole, or not at all."""
        with self._writing() as writing:
            yield Replacing(name, writing)


class Replacing:
    """A set that is written."""

    def __init__(self, name: str, writing: Writing) -> None:
        self._name = name
        self._writing = writing

    def known(self) -> StoredDataset | None:
        """The set as it is; nobody else changes it until the block ends."""
        return next((_stored(row) for row in self._writing.rows(_ONE, self._name)), None)

    def remove(self) -> None:
        """Delete it and its rows."""
        self._writing.rows(_REMOVE_ROWS, self._name)
        self._writing.rows(_REMOVE, self._name)

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Its rows, in order."""
        numbered = enumerate(rows, 1)
        self._writing.add_rows((self._name, number, prompt, body) for number, (prompt, body) in numbered)

    def add(self, dataset: StoredDataset) -> None:
        """What is said of it as a whole."""
        one = dataset
        self._writing.rows(_ADD_SET, one.name, one.digest, one.imported_at, one.source, one.licence, one.summary)


def _stored(row: Sequence[Any]) -> StoredDataset:
    name, digest, imported_at, source, licence, summary = row
    return StoredDataset(
        name=name,
        digest=bytes(digest),
        imported_at=imported_at,
        source=source,
        licence=licence,
        summary=summary,
    )


def open_dataset_tables(url: str) -> DatasetTables:
    """The sets of the database at the URL. Raises ConfigurationError for one in memory, which keeps none."""
    if not url.startswith("sqlite:"):
        from .postgres_datasets import PostgresDatasets

        return PostgresDatasets(url)
    return SqliteDatasets(file_of(url))


class SqliteDatasets(DatasetTables):
    """In a SQLite file; a missing one has no sets and is created by the first write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = path.with_name(f"{path.name}.lock")
        self._is_upgraded = False

    def close(self) -> None:
        """Nothing is open between two calls."""

    def _rows(self, query: LiteralString, *values: object) -> list[Any]:
        with translated(self._path):
            if not self._path.exists():
                return []
            self._upgrade()
            with closing(connect_reader(self._path)) as connection:
                return connection.execute(_of_sqlite(query), values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[Writing]:
        lock = FileLock(self._lock)
        with translated(self._path):
            self._upgrade()
            try:
                with lock, closing(connect_writer(self._path)) as connection:
                    connection.execute("PRAGMA secure_delete=ON")
                    connection.execute("BEGIN IMMEDIATE")
                    yield _SqliteWriting(connection)
                    connection.execute("COMMIT")
            finally:
                lock.close()

    def _upgrade(self) -> None:
        if not self._is_upgraded:
            bring_up_to_date(self._path, FileLock(self._lock))
            self._is_upgraded = True


class _SqliteWriting(Writing):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, query: LiteralString, *values: object) -> list[Any]:
        return self._connection.execute(_of_sqlite(query), values).fetchall()

    def add_rows(self, rows: Iterator[tuple[str, int, bytes | None, str]]) -> None:
        self._connection.executemany(_of_sqlite(_ADD), rows)


def _of_sqlite(query: LiteralString) -> str:
    """The statement as SQLite has it: no schemas, and places are `?`."""
    return query.replace("log.", "").replace("%s", "?")
