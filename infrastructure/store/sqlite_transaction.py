"""The log inside one SQLite write transaction, for the append rules."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from ...application.ports import CacheEntry, Content, ContentKey, IdempotencyClaim, RecordedEvent
from ...domain.units import Timestamp
from .append_rules import Account, Funds, Head, Known, Prepared
from .sqlite_erasure import erase, insert_keys

T = TypeVar("T")

COLUMNS = (
    "position, stream, version, event_id, type, schema_version, occurred_at, recorded_at, causation_id, "
    "correlation_id, actor, payload, event_hash, chain_hash"
)
ROWS = 64  # of one statement
MOST_INTEGER = 2**63 - 1
READ_CLAIM = "SELECT owner, key, fingerprint, run FROM idempotency_keys WHERE (owner, key) = (?, ?)"


def now() -> Timestamp:
    """The database's clock. SQLite has none of its own: its SQL functions ask the system's, to the millisecond."""
    return Timestamp(time.time_ns() // 1000)


class SqliteTransaction:
    """A batch on the connection that has begun a write transaction under the file lock.

    Reads what the batch asks for in a few statements, keeps what its appends do in memory, where the later ones see it,
    and writes all of it in `finish`. Every statement gives up Python's lock, so few of them let a busy event loop
    and the writer thread run side by side.
    """

    def __init__(self, connection: sqlite3.Connection, at: Timestamp, appends: Sequence[Prepared]) -> None:
        self._connection = connection
        row = connection.execute("SELECT position, recorded_at, chain_hash FROM log_head WHERE id = 1").fetchone()
        self.head = Head(*row)
        self.recorded_at = max(self.head.recorded_at, at)
        self._known = self._stored_ids([event.event_id for append in appends for _, event, _ in append.events])
        self._versions = self._stored_versions({part.stream for item in appends for part in item.append.streams})
        self._claims: dict[tuple[str, str], IdempotencyClaim] = {}
        self._cached: dict[tuple[str, bytes], CacheEntry] = {}
        self._events: list[RecordedEvent] = []
        self._contents: list[Content] = []
        self._keys: list[ContentKey] = []
        self._erased: list[str] = []
        self._funds: dict[Account, Funds] = {}
        self._limits: dict[tuple[str, str], int | None] = {}

    def _stored_ids(self, event_ids: Sequence[bytes]) -> dict[bytes, Known]:
        query = "SELECT event_id, position, version, recorded_at, event_hash FROM events WHERE event_id IN ({})"
        rows = self._select(query, "?", event_ids)
        return {id: Known(*rest) for id, *rest in rows}

    def _stored_versions(self, streams: Iterable[str]) -> dict[str, int]:
        query = (
            "WITH wanted (stream) AS (VALUES {}) "
            "SELECT stream, (SELECT coalesce(max(version), 0) FROM events WHERE stream = wanted.stream) FROM wanted"
        )
        return dict(self._select(query, "(?)", list(streams)))

    def _select(self, query: str, place: str, values: Sequence[object]) -> Iterator[Any]:
        for some in _slices(values):
            yield from self._connection.execute(query.format(", ".join([place] * len(some))), some).fetchall()

    # ---- what the append rules ask ----

    def known(self, event_ids: Sequence[bytes]) -> dict[bytes, Known]:
        """Those of the ids that are in the log."""
        return {id: self._known[id] for id in event_ids if id in self._known}

    def version(self, stream: str) -> int:
        """The stream's last version; 0 for none."""
        return self._versions[stream]

    def funds(self, account: Account) -> Funds:
        """The balance row, (0, 0) where there is none."""
        if (funds := self._funds.get(account)) is not None:
            return funds
        query = "SELECT held, settled FROM balances WHERE (scope, period, money, period_key) = (?, ?, ?, ?)"
        return self._connection.execute(query, account).fetchone() or (0, 0)

    def limit(self, scope: str, period: str) -> int | None:
        """The budget's limit."""
        if (scope, period) in self._limits:
            return self._limits[scope, period]
        query = 'SELECT "limit" FROM budgets WHERE (scope, period) = (?, ?)'
        row = self._connection.execute(query, (scope, period)).fetchone()
        return row[0] if row is not None else None

    def claim(self, owner: str, key: str) -> IdempotencyClaim | None:
        """Who has the idempotency key."""
        if (claim := self._claims.get((owner, key))) is not None:
            return claim
        return read_claim(self._connection.execute(READ_CLAIM, (owner, key)).fetchone())

    def put_claim(self, claim: IdempotencyClaim) -> None:
        """Give a free key to its run."""
        self._claims[claim.owner, claim.key] = claim

    def put_cached(self, entry: CacheEntry) -> None:
        """Write the entry, over an earlier one."""
        self._cached[entry.owner, entry.fingerprint] = entry

    def put_limit(self, scope: str, period: str, limit: int | None) -> None:
        """Set or remove it."""
        self._limits[scope, period] = limit

    def put_funds(self, account: Account, funds: Funds) -> None:
        """Change the balance row."""
        self._funds[account] = funds

    def add_events(self, events: Sequence[RecordedEvent]) -> None:
        """Put the events at the log's end; the last one is its new head."""
        self._events += events
        for event in events:
            self._versions[event.stream] = event.version
            self._known[event.event_id] = Known(event.position, event.version, event.recorded_at, event.event_hash)
        self.head = Head(events[-1].position, self.recorded_at, events[-1].chain_hash)

    def add_contents(self, contents: Sequence[Content]) -> None:
        """Keep the texts whose ref is new, and who uses them."""
        self._contents += contents

    def add_keys(self, keys: Sequence[ContentKey]) -> None:
        """Keep the keys whose id is new."""
        self._keys += keys

    def erase(self, runs: Sequence[str]) -> None:
        """Destroy what is kept of the runs beside their events."""
        self._erased += runs

    # ---- what becomes of it ----

    def finish(self) -> None:
        """Write everything; nothing where every append was refused or known."""
        if not self._events:
            return
        self._write_balances()
        self._write_keys()
        self._write_contents()
        if self._keys:
            insert_keys(self._connection, self._keys)
        if self._erased:
            erase(self._connection, self._erased)
        self._insert(f"INSERT INTO events ({COLUMNS})", 14, [_row(event) for event in self._events])
        head = (self.head.position, self.head.recorded_at, self.head.chain_hash)
        self._connection.execute("UPDATE log_head SET position = ?, recorded_at = ?, chain_hash = ? WHERE id = 1", head)

    def _write_balances(self) -> None:
        removed = [budget for budget, limit in self._limits.items() if limit is None]
        limits = [(*budget, limit) for budget, limit in sorted(self._limits.items()) if limit is not None]
        # Without a budget a sum has no bound, so it stops at the column's, which is above any limit.
        funds = [(*account, _bounded(held), _bounded(settled)) for account, (held, settled) in self._funds.items()]
        self._connection.executemany("DELETE FROM budgets WHERE (scope, period) = (?, ?)", removed)
        self._insert("INSERT OR REPLACE INTO budgets", 3, limits)
        self._insert("INSERT OR REPLACE INTO balances", 6, sorted(funds))

    def _write_keys(self) -> None:
        claims = [(*key, claim.fingerprint, claim.run) for key, claim in self._claims.items()]
        entries = [(*key, entry.run, entry.attempt, entry.expires_at) for key, entry in self._cached.items()]
        self._insert("INSERT INTO idempotency_keys", 4, claims)
        self._insert("INSERT OR REPLACE INTO cached_answers", 5, entries)

    def _write_contents(self) -> None:
        texts = [(content.ref, content.subject, content.salt, content.stored) for content in self._contents]
        uses = [(content.ref, content.stream) for content in self._contents]
        self._insert("INSERT OR IGNORE INTO contents", 4, texts)
        self._insert("INSERT OR IGNORE INTO content_uses", 2, uses)

    def _insert(self, insert: str, columns: int, rows: Sequence[Sequence[object]]) -> None:
        place = f"({', '.join('?' * columns)})"
        for some in _slices(rows):
            places = ", ".join([place] * len(some))
            self._connection.execute(f"{insert} VALUES {places}", [value for row in some for value in row])


def read_claim(row: Sequence[Any] | None) -> IdempotencyClaim | None:
    """What READ_CLAIM found."""
    if row is None:
        return None
    owner, key, fingerprint, run = row
    return IdempotencyClaim(owner=owner, key=key, fingerprint=fingerprint, run=run)


def _slices(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + ROWS] for start in range(0, len(values), ROWS))


def _bounded(amount: int) -> int:
    return max(-MOST_INTEGER, min(MOST_INTEGER, amount))


def _row(event: RecordedEvent) -> tuple[object, ...]:
    return (
        event.position,
        event.stream,
        event.version,
        event.event_id,
        event.type,
        event.schema_version,
        event.occurred_at,
        event.recorded_at,
        event.causation_id,
        event.correlation_id,
        event.actor,
        event.payload,
        event.event_hash,
        event.chain_hash,
    )
