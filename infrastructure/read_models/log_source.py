"""The log as folds read it: plain rows of the types they want, a range of positions at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from ...domain.errors import StoreCorrupted
from ..store.memory import MemoryStore
from ..store.opening import sqlite_path
from ..store.sqlite_connection import connect_reader, translated
from .lean_codec import LogRow

COLUMNS = "position, stream, version, type, schema_version, recorded_at, payload"
A_FETCH = 500  # rows, which stay in the processor's cache until they are folded


class LogSource(Protocol):
    """Blocking; used by one thread at a time."""

    def head(self) -> int:
        """The last position; 0 for an empty log."""

    def chain(self, position: int) -> bytes:
        """The chain's hash at a position; empty where there is no such event."""

    def rows(self, after: int, upto: int, types: Sequence[str]) -> Iterable[LogRow]:
        """The events of these types at positions (after, upto], in order."""

    def position_at(self, moment: int) -> int:
        """The last position recorded at or before a moment, in microseconds; 0 for none."""

    def close(self) -> None:
        """Close what is open."""


class SqliteLog:
    """A log file, read only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with translated(path):
            self._connection = connect_reader(path)

    def head(self) -> int:
        """The last position."""
        return int(self._ask("SELECT position FROM log_head")[0][0])

    def chain(self, position: int) -> bytes:
        """The chain's hash there."""
        rows = self._ask("SELECT chain_hash FROM events WHERE position = ?", position)
        return bytes(rows[0][0]) if rows else b""

    def rows(self, after: int, upto: int, types: Sequence[str]) -> Iterable[LogRow]:
        """The events."""
        marks = ", ".join("?" * len(types))
        where = f"position > ? AND position <= ? AND type IN ({marks})"
        query = f"SELECT {COLUMNS} FROM events WHERE {where} ORDER BY position"
        with self._explained():
            cursor = self._connection.execute(query, (after, upto, *types))
        return chain.from_iterable(iter(lambda: self._fetched(cursor), []))

    def position_at(self, moment: int) -> int:
        """By halving: recorded_at never runs backwards."""
        low, high = 0, self.head()
        while low < high:
            middle = (low + high + 1) // 2
            (at,) = self._ask("SELECT recorded_at FROM events WHERE position = ?", middle)[0]
            low, high = (middle, high) if at <= moment else (low, middle - 1)
        return low

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _ask(self, query: str, *parameters: object) -> list[Any]:
        with self._explained():
            return self._connection.execute(query, parameters).fetchall()

    def _fetched(self, cursor: sqlite3.Cursor) -> list[Any]:
        with self._explained():
            return cursor.fetchmany(A_FETCH)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        with translated(self._path):
            try:
                yield
            except sqlite3.OperationalError as error:
                if "decode to UTF-8" not in str(error):
                    raise
                raise StoreCorrupted(f"database {self._path}: a stored text is not valid UTF-8") from error


class MemoryLog:
    """The log of a store in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._events = store.recorded()

    def head(self) -> int:
        """The last position."""
        return len(self._events)

    def chain(self, position: int) -> bytes:
        """The chain's hash there."""
        return self._events[position - 1].chain_hash if 0 < position <= len(self._events) else b""

    def rows(self, after: int, upto: int, types: Sequence[str]) -> Iterable[LogRow]:
        """The events."""
        for one in self._events[after:upto]:
            if one.type in types:
                yield (
                    one.position,
                    one.stream,
                    one.version,
                    one.type,
                    one.schema_version,
                    one.recorded_at,
                    one.payload,
                )

    def position_at(self, moment: int) -> int:
        """The last one at or before it."""
        return sum(one.recorded_at <= moment for one in self._events)

    def close(self) -> None:
        """Nothing is open."""


def open_log(url: str) -> LogSource:
    """The log at an address. Raises StoreUnavailable where it cannot be opened."""
    if not url.startswith("sqlite:"):
        from .postgres import PostgresLog

        return PostgresLog(url)
    path = sqlite_path(url)
    if path is None:
        raise ValueError("a log in memory is read through its store")
    return SqliteLog(path)
