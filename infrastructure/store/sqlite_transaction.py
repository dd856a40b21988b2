"""The log inside one SQLite write transaction, for the append rules."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, TypeVar

from ...application.ports import CacheEntry, Content, ContentKey, IdempotencyClaim
from ...domain.units import Timestamp
from .append_rules import Account, Funds, Head, Known, LogRow, Prepared
from .sqlite_erasure import erase, insert_keys

T = TypeVar("T")

COLUMNS = (
    "position, stream, version, event_id, type, schema_version, occurred_at, recorded_at, causation_id, "
    "correlation_id, actor, payload, event_hash, chain_hash"
)
ROWS = 64  # of one statement at most; a power of 2
MOST_INTEGER = 2**63 - 1
_FIND_IDS = "SELECT event_id, position, version, recorded_at, event_hash FROM events WHERE event_id IN ({})"
_FIND_VERSIONS = (
    "WITH wanted (stream) AS (VALUES {}) "
    "SELECT stream, (SELECT coalesce(max(version), 0) FROM events WHERE stream = wanted.stream) FROM wanted"
)
_SET_HEAD = "UPDATE log_head SET position = ?, recorded_at = ?, chain_hash = ? WHERE id = 1"
_INSERT_EVENTS = f"INSERT INTO events ({COLUMNS})"
READ_CLAIM = "SELECT owner, key, fingerprint, run FROM idempotency_keys WHERE (owner, key) = (?, ?)"


def now() -> Timestamp:
    """The database's clock. SQLite has none of its own: its SQL functions ask the system's, to the millisecond."""
    return Timestamp(time.time_ns() // 1000)


class SqliteTransaction:
    """A batch on the connection that has begun a write transaction under the file lock.

    Reads what the batch asks for in a few statements, keeps what its appends do in memory, where the later ones see it,
    and writes all of it in `finish`. Every statement gives up Python's lock, so few of them let a busy event loop
    and the writer thread run side by side. They come in few lengths, so that SQLite compiles each once a connection.
    """

    def __init__(self, connection: sqlite3.Connection, at: Timestamp, appends: Sequence[Prepared]) -> None:
        self._connection = connection
        row = connection.execute("SELECT position, recorded_at, chain_hash FROM log_head WHERE id = 1").fetchone()
        self.head = Head(*row)
        self.recorded_at = max(self.head.recorded_at, at)
        self._known = self._stored_ids([id for append in appends for id in append.ids])
        self._versions = self._stored_versions({part.stream for item in appends for part in item.append.streams})
        self._claims: dict[tuple[str, str], IdempotencyClaim] = {}
        self._cached: dict[tuple[str, bytes], CacheEntry] = {}
        self._events: list[LogRow] = []
        self._contents: list[Content] = []
        self._keys: list[ContentKey] = []
        self._erased: list[str] = []
        self._funds: dict[Account, Funds] = {}
        self._limits: dict[tuple[str, str], int | None] = {}  # as they were set
        self._stored_limits: dict[tuple[str, str], int | None] = {}  # as they were read

    def _stored_ids(self, event_ids: Sequence[bytes]) -> dict[bytes, Known]:
        return {id: Known(*rest) for id, *rest in self._select(_FIND_IDS, "?", event_ids)}

    def _stored_versions(self, streams: Iterable[str]) -> dict[str, int]:
        return dict(self._select(_FIND_VERSIONS, "(?)", list(streams)))

    def _select(self, query: str, place: str, values: Sequence[object]) -> Iterator[Any]:
        for start in range(0, len(values), ROWS):
            some = values[start : start + ROWS]
            places = 1 << (len(some) - 1).bit_length()
            padding = (places - len(some)) * (some[0],)  # looked for twice, it is found once or says the same
            yield from self._connection.execute(_filled(query, place, places), (*some, *padding)).fetchall()

    # ---- what the append rules ask ----

    def known(self, event_ids: Sequence[bytes]) -> dict[bytes, Known]:
        """Those of the ids that are in the log."""
        known = self._known
        return {id: known[id] for id in event_ids if id in known} if known else {}

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
        if (scope, period) not in self._stored_limits:
            query = 'SELECT "limit" FROM budgets WHERE (scope, period) = (?, ?)'
            row = self._connection.execute(query, (scope, period)).fetchone()
            self._stored_limits[scope, period] = row[0] if row is not None else None
        return self._stored_limits[scope, period]

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

    def add_events(self, rows: Sequence[LogRow]) -> None:
        """Put the events at the log's end; the last one is its new head."""
        self._events += rows
        for position, stream, version, id, _, _, _, recorded_at, _, _, _, _, digest, _ in rows:
            self._versions[stream] = version
            self._known[id] = Known(position, version, recorded_at, digest)
        self.head = Head(rows[-1][0], self.recorded_at, rows[-1][-1])

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
        if self._funds or self._limits:
            self._write_balances()
        if self._claims or self._cached:
            self._write_keys()
        if self._contents:
            self._write_contents()
        if self._keys:
            insert_keys(self._connection, self._keys)
        if self._erased:
            erase(self._connection, self._erased)
        self._insert(_INSERT_EVENTS, 14, self._events)
        self._connection.execute(_SET_HEAD, self.head)

    def _write_balances(self) -> None:
        removed = [budget for budget, limit in self._limits.items() if limit is None]
        limits = [(*budget, limit) for budget, limit in sorted(self._limits.items()) if limit is not None]
        # Without a budget a sum has no bound, so it stops at the column's, which is above any limit.
        funds = [(*account, _bounded(held), _bounded(settled)) for account, (held, settled) in self._funds.items()]
        if removed:
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
        place = _row_of_places(columns)
        start = 0
        while left := len(rows) - start:
            count = min(ROWS, 1 << (left.bit_length() - 1))
            some = rows[start] if count == 1 else list(chain.from_iterable(rows[start : start + count]))
            self._connection.execute(_filled(f"{insert} VALUES {{}}", place, count), some)
            start += count


@cache  # as many as there are tables
def _row_of_places(columns: int) -> str:
    return f"({', '.join('?' * columns)})"


@cache  # as many as there are statements and powers of 2 up to ROWS
def _filled(query: str, place: str, count: int) -> str:
    """The statement with that many places."""
    return query.format(", ".join([place] * count))


def read_claim(row: Sequence[Any] | None) -> IdempotencyClaim | None:
    """What READ_CLAIM found."""
    if row is None:
        return None
    owner, key, fingerprint, run = row
    return IdempotencyClaim(owner=owner, key=key, fingerprint=fingerprint, run=run)


def _bounded(amount: int) -> int:
    return max(-MOST_INTEGER, min(MOST_INTEGER, amount))
