"""The read side of the SQLite store: one read-only connection, shared by the process's threads."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from ...application.ports import Balance, CacheEntry, ContentKey, IdempotencyClaim, RecordedEvent
from ...domain.errors import StoreUnavailable
from ...domain.events import Money
from ...domain.units import Timestamp
from .level import FILE_LEVEL, level_of
from .sealing import Row as StoredRow
from .sqlite_connection import connect_reader, translated
from .sqlite_erasure import KEY_COLUMNS, content_key
from .sqlite_transaction import COLUMNS, READ_CLAIM, read_claim
from .stream_names import span_of

REFS_A_QUERY = 500
END = 2**63 - 1  # above every position
DataVersion = tuple[int, int]
_event = RecordedEvent._make  # its fields are the columns, in their order


class SqliteReader:
    """Blocking; a reader never waits for a writer. Usable from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._openings = 0

    def _rows(self, query: str, parameters: Sequence[object] = ()) -> list[Any]:
        with self._mutex, translated(self._path):
            if self._closed:
                raise StoreUnavailable("the event store is closed: open a new one")
            if self._connection is None:
                self._connection = connect_reader(self._path)
                self._openings += 1
            return self._connection.execute(query, parameters).fetchall()

    def stream(self, stream: str, after: int) -> list[RecordedEvent]:
        """The stream's events above a version."""
        query = f"SELECT {COLUMNS} FROM events WHERE stream = ? AND version > ? ORDER BY version"
        return [_event(row) for row in self._rows(query, (stream, after))]

    def family(self, prefix: str, after: int) -> list[RecordedEvent]:
        """Events of the streams that begin so; found by the index of streams, whatever the size of the log."""
        # A `+` keeps SQLite from going through the whole log by position instead.
        query = f"SELECT {COLUMNS} FROM events WHERE stream >= ? AND stream < ? AND +position > ?"
        return sorted((_event(row) for row in self._rows(query, (*span_of(prefix), after))), key=attrgetter("position"))

    def page(
        self,
        *,
        after: int | None = None,
        before: int = END,
        limit: int,
        types: Sequence[str] = (),
        stream_prefix: str = "",
    ) -> list[RecordedEvent]:
        """Up to `limit` events: above `after` in order or, without it, below `before` newest first."""
        comparison, order = ("position > ?", "ASC") if after is not None else ("position < ?", "DESC")
        conditions: list[str] = [comparison]
        parameters: list[object] = [before if after is None else after, *types]
        if types:
            conditions.append(f"type IN ({', '.join('?' * len(types))})")
        if stream_prefix:
            conditions.append("substr(stream, 1, ?) = ?")
            parameters += [len(stream_prefix), stream_prefix]
        query = f"SELECT {COLUMNS} FROM events WHERE {' AND '.join(conditions)} ORDER BY position {order} LIMIT ?"
        return [_event(row) for row in self._rows(query, (*parameters, limit))]

    def head(self) -> int:
        """The last position."""
        return int(self._rows("SELECT position FROM log_head")[0][0])

    def contents(self, refs: Sequence[str]) -> list[StoredRow]:
        """The texts that exist, as they are stored."""
        found: list[StoredRow] = []
        for start in range(0, len(refs), REFS_A_QUERY):
            some = refs[start : start + REFS_A_QUERY]
            query = f"SELECT ref, subject, salt, body FROM contents WHERE ref IN ({', '.join('?' * len(some))})"
            found += self._rows(query, some)
        return found

    def foreign(self, known: Sequence[bytes]) -> bytes | None:
        """The id of an outer key that wraps a subject's key and is none of these."""
        others = f"owner IS NULL AND wrapped_by NOT IN ({', '.join('?' * len(known))})"
        rows = self._rows(f"SELECT wrapped_by FROM content_keys WHERE {others} LIMIT 1", known)
        return rows[0][0] if rows else None

    def of_subject(self, subject: str) -> ContentKey | None:
        """A key of the subject."""
        query = f"SELECT {KEY_COLUMNS} FROM content_keys WHERE owner IS NULL AND subject = ? LIMIT 1"
        return next((content_key(row) for row in self._rows(query, (subject,))), None)

    def with_parents(self, ids: Sequence[bytes]) -> list[tuple[ContentKey, ContentKey]]:
        """The data keys that still exist, each with its subject's."""
        columns = ", ".join(f"{table}.{name}" for table in ("mine", "parent") for name in KEY_COLUMNS.split(", "))
        tables = "content_keys AS mine JOIN content_keys AS parent ON parent.id = mine.wrapped_by"
        found = []
        for start in range(0, len(ids), REFS_A_QUERY):
            some = ids[start : start + REFS_A_QUERY]
            rows = self._rows(f"SELECT {columns} FROM {tables} WHERE mine.id IN ({', '.join('?' * len(some))})", some)
            found += [(content_key(row[:5]), content_key(row[5:])) for row in rows]
        return found

    def balances(self) -> list[Balance]:
        """Every row, in the order of its key."""
        query = (
            'SELECT scope, period, money, period_key, "limit", held, settled FROM balances '
            "LEFT JOIN budgets USING (scope, period) ORDER BY scope, period, money, period_key"
        )
        return [
            Balance(
                scope=scope, period=period, money=Money(money), period_key=key, limit=limit, held=held, settled=settled
            )
            for scope, period, money, key, limit, held, settled in self._rows(query)
        ]

    def budgets(self) -> list[tuple[str, str, int]]:
        """Scope, period and limit of every budget that is set."""
        return self._rows('SELECT scope, period, "limit" FROM budgets ORDER BY scope, period')

    def claim(self, owner: str, key: str) -> IdempotencyClaim | None:
        """Who has the idempotency key."""
        return read_claim(next(iter(self._rows(READ_CLAIM, (owner, key))), None))

    def cached(self, owner: str, fingerprint: bytes, now: Timestamp) -> CacheEntry | None:
        """The entry that has not expired."""
        query = "SELECT run, attempt, expires_at FROM cached_answers WHERE (owner, fingerprint) = (?, ?)"
        for run, attempt, expires_at in self._rows(f"{query} AND expires_at > ?", (owner, fingerprint, now)):
            return CacheEntry(owner=owner, fingerprint=fingerprint, run=run, attempt=attempt, expires_at=expires_at)
        return None

    def content_secret(self) -> bytes | None:
        """The stored secret, if any."""
        rows = self._rows("SELECT value FROM meta WHERE key = 'content_secret'")
        return bytes(rows[0][0]) if rows else None

    def level(self) -> int:
        """The level of events that the file stands at."""
        rows = self._rows(FILE_LEVEL)
        return level_of(bytes(rows[0][0]) if rows else None)

    def data_version(self) -> DataVersion:
        """Differs after any commit of another connection, in this process or not; reads no page of the log."""
        version = int(self._rows("PRAGMA data_version")[0][0])
        return self._openings, version  # SQLite's number means something on one connection only

    def close(self) -> None:
        """Close; every later read is refused."""
        with self._mutex:
            self._closed = True
            self._close_connection()

    def _close_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def before_fork(self) -> None:
        """Close, and keep the others out until after the fork."""
        self._mutex.acquire()
        self._close_connection()

    def after_fork(self) -> None:
        """Let them in again; the next one opens what it needs."""
        self._mutex.release()
