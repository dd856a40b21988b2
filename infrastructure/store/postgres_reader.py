"""The read side on PostgreSQL: a few connections, each used by one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, LiteralString, TypeVar

import psycopg

from ...application.ports import Balance, CacheEntry, IdempotencyClaim, RecordedEvent
from ...domain.errors import StoreCorrupted, StoreUnavailable
from ...domain.events import Money
from ...domain.units import Timestamp
from ..database_url import masked
from .postgres_connection import Connection, connect, unavailable
from .sealing import Row as StoredRow
from .stream_names import span_of

Row = tuple[Any, ...]
T = TypeVar("T")
MOST_KEPT = 8  # idle connections; asyncio's threads are six on two cores, and one that finds none opens its own
IDLE = 5_000  # milliseconds after which a host that stands still no longer holds up the others

HEAD: LiteralString = "SELECT position FROM log.log_head"
BUDGETS: LiteralString = 'SELECT scope, period, "limit" FROM log.budgets ORDER BY 1, 2'
# `+ 0` keeps the server from walking back through the whole log by position, in search of a family that has no event.
END_OF_FAMILY: LiteralString = (
    "SELECT coalesce(max(position + 0), 0) FROM log.events WHERE stream >= %s AND stream < %s"
)

_EVENTS: LiteralString = (
    "SELECT position, stream, version, event_id, type, schema_version, occurred_at, recorded_at, causation_id, "
    "correlation_id, actor, payload, event_hash, chain_hash FROM log.events "
)
_BALANCES: LiteralString = (
    'SELECT b.scope, b.period, b.money, b.period_key, l."limit", b.held::text, b.settled::text FROM log.balances b '
    "LEFT JOIN log.budgets l ON l.scope = b.scope AND l.period = b.period ORDER BY 1, 2, 3, 4"
)


class ReadConnections:
    """Connections that reads borrow; at most MOST_KEPT stay open for the next ones."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._closed = False

    def run(self, query: Callable[[Connection], T]) -> T:
        """What `query` returns; a connection that broke while it was idle is replaced once. Blocks."""
        while True:
            connection, kept = self._take()
            try:
                return query(connection)
            except psycopg.Error as error:
                if not (kept and connection.broken):
                    raise unavailable(self._url, error) from None
            except UnicodeDecodeError:
                raise StoreCorrupted(f"{masked(self._url)}: a stored text is not valid UTF-8") from None
            finally:
                self._give(connection)

    def close(self) -> None:
        """Close what is idle, now, and what is borrowed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def after_fork_in_child(self) -> None:
        """The parent's connections stayed with the parent; psycopg says nothing to their servers from here."""
        self._lock = threading.Lock()
        self._idle = []

    def _take(self) -> tuple[Connection, bool]:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the event store is closed: open a new one")
            if self._idle:
                return self._idle.pop(), True
        return connect(self._url, idle=IDLE), False

    def _give(self, connection: Connection) -> None:
        with self._lock:
            if not (connection.broken or self._closed or len(self._idle) >= MOST_KEPT):
                self._idle.append(connection)
                return
        connection.close()


def stream_events(connection: Connection, stream: str, after: int) -> list[RecordedEvent]:
    """A stream's events above a version."""
    return _events(connection, "WHERE stream = %s AND version > %s ORDER BY version", (stream, after))


def family_events(connection: Connection, prefix: str, after: int) -> list[RecordedEvent]:
    """Events of the streams that begin so; found by the index of streams, whatever the size of the log."""
    found = _events(connection, "WHERE stream >= %s AND stream < %s AND position > %s", (*span_of(prefix), after))
    return sorted(found, key=attrgetter("position"))


def page(
    connection: Connection, after: int, limit: int, types: Sequence[str], stream_prefix: str
) -> list[RecordedEvent]:
    """Events above a position, upwards."""
    where, parameters = _filter(types, stream_prefix)
    return _events(connection, f"WHERE position > %s{where} ORDER BY position LIMIT %s", (after, *parameters, limit))


def page_backwards(
    connection: Connection, before: int | None, limit: int, types: Sequence[str], stream_prefix: str
) -> list[RecordedEvent]:
    """Events below a position, downwards; None: from the end."""
    where, parameters = _filter(types, stream_prefix)
    below: LiteralString = "position > 0" if before is None else "position < %s"
    first = () if before is None else (before,)
    return _events(connection, f"WHERE {below}{where} ORDER BY position DESC LIMIT %s", (*first, *parameters, limit))


def secret(connection: Connection) -> bytes:
    """The database's own key for fingerprints."""
    return bytes(_one(connection, "SELECT value FROM log.meta WHERE key = 'content_secret'"))


def contents(connection: Connection, refs: Sequence[str]) -> list[StoredRow]:
    """Those of the texts that exist, as they are stored."""
    query: LiteralString = "SELECT ref, subject, salt, body FROM log.contents WHERE ref = ANY(%s)"
    return connection.execute(query, (list(refs),), binary=True).fetchall()


def balances(connection: Connection) -> list[Balance]:
    """Every balance row, sorted."""
    return [
        Balance(
            scope=scope,
            period=period,
            money=Money(money),
            period_key=key,
            limit=limit,
            held=int(held),
            settled=int(settled),
        )
        for scope, period, money, key, limit, held, settled in connection.execute(_BALANCES)
    ]


def claim(connection: Connection, owner: str, key: str) -> IdempotencyClaim | None:
    """Who has the idempotency key."""
    query: LiteralString = "SELECT fingerprint, run FROM log.idempotency_keys WHERE owner = %s AND key = %s"
    for fingerprint, run in connection.execute(query, (owner, key), binary=True):
        return IdempotencyClaim(owner=owner, key=key, fingerprint=fingerprint, run=run)
    return None


def cached(connection: Connection, owner: str, fingerprint: bytes, now: Timestamp) -> CacheEntry | None:
    """The entry that has not expired."""
    query: LiteralString = (
        "SELECT run, attempt, expires_at FROM log.cached_answers "
        "WHERE owner = %s AND fingerprint = %s AND expires_at > %s"
    )
    for run, attempt, expires_at in connection.execute(query, (owner, fingerprint, now), binary=True):
        return CacheEntry(owner=owner, fingerprint=fingerprint, run=run, attempt=attempt, expires_at=expires_at)
    return None


def _filter(types: Sequence[str], stream_prefix: str) -> tuple[LiteralString, Row]:
    where: LiteralString = ""
    parameters: list[object] = []
    if types:
        where += " AND type = ANY(%s)"
        parameters.append(list(types))
    if stream_prefix:
        where += " AND starts_with(stream, %s)"
        parameters.append(stream_prefix)
    return where, tuple(parameters)


def _events(connection: Connection, clauses: LiteralString, parameters: Row) -> list[RecordedEvent]:
    return [RecordedEvent._make(row) for row in connection.execute(_EVENTS + clauses, parameters, binary=True)]


def _one(connection: Connection, query: LiteralString) -> Any:
    return only(connection.execute(query, binary=True).fetchall())


def only(rows: Sequence[Row]) -> Any:
    """The value of a row that every log has. Raises StoreCorrupted where it is missing."""
    if not rows:
        raise StoreCorrupted("a row that every event log has is missing: restore the database from a backup")
    return rows[0][0]
