"""The event store in memory: for tests, and for runs nobody wants to keep."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from ...application.ports import (
    Append,
    AppendResult,
    Balance,
    CacheEntry,
    Content,
    ContentKey,
    IdempotencyClaim,
    RecordedEvent,
    StoredContent,
)
from ...domain.errors import StoreError, StoreUnavailable
from ...domain.events import Money
from ...domain.units import Timestamp
from ..event_levels import newest
from .append_checks import check_key
from .append_rules import Account, Funds, Head, Known, LogRow, Prepared, apply
from .chain import GENESIS
from .wakeups import Wakeups

_FIELDS = RecordedEvent._fields


def _now() -> Timestamp:
    return Timestamp(time.time_ns() // 1000)


@dataclass(slots=True)
class MemoryLog:
    """The tables, and the transaction the append rules ask for: no check comes after a write, so none is undone."""

    head: Head = Head(0, Timestamp(0), GENESIS)
    recorded_at: Timestamp = Timestamp(0)
    events: list[RecordedEvent] = field(default_factory=list)
    streams: dict[str, list[RecordedEvent]] = field(default_factory=dict)
    by_id: dict[bytes, RecordedEvent] = field(default_factory=dict)
    contents: dict[str, StoredContent] = field(default_factory=dict)
    uses: dict[str, set[str]] = field(default_factory=dict)  # by ref: the streams that use the text
    limits: dict[tuple[str, str], int] = field(default_factory=dict)
    balances: dict[Account, Funds] = field(default_factory=dict)
    claims: dict[tuple[str, str], IdempotencyClaim] = field(default_factory=dict)
    cached: dict[tuple[str, bytes], CacheEntry] = field(default_factory=dict)

    def known(self, event_ids: Sequence[bytes]) -> dict[bytes, Known]:
        """Those of the ids that are in the log."""
        found = [self.by_id[id] for id in event_ids if id in self.by_id]
        return {
            event.event_id: Known(event.position, event.version, event.recorded_at, event.event_hash) for event in found
        }

    def version(self, stream: str) -> int:
        """The stream's last version; 0 for none."""
        return len(self.streams.get(stream, ()))

    def funds(self, account: Account) -> Funds:
        """The balance row, (0, 0) where there is none."""
        return self.balances.get(account, (0, 0))

    def limit(self, scope: str, period: str) -> int | None:
        """The budget's limit."""
        return self.limits.get((scope, period))

    def claim(self, owner: str, key: str) -> IdempotencyClaim | None:
        """Who has the idempotency key."""
        return self.claims.get((owner, key))

    def put_claim(self, claim: IdempotencyClaim) -> None:
        """Give a free key to its run."""
        self.claims[claim.owner, claim.key] = claim

    def put_cached(self, entry: CacheEntry) -> None:
        """Write the entry, over an earlier one."""
        self.cached[entry.owner, entry.fingerprint] = entry

    def put_limit(self, scope: str, period: str, limit: int | None) -> None:
        """Set or remove it."""
        if limit is None:
            self.limits.pop((scope, period), None)
        else:
            self.limits[scope, period] = limit

    def put_funds(self, account: Account, funds: Funds) -> None:
        """Write the balance row."""
        self.balances[account] = funds

    def add_events(self, rows: Sequence[LogRow]) -> None:
        """Put the events at the log's end."""
        events = [_recorded(row) for row in rows]
        for event in events:
            self.events.append(event)
            self.by_id[event.event_id] = event
            self.streams.setdefault(event.stream, []).append(event)
        self.head = Head(events[-1].position, self.recorded_at, events[-1].chain_hash)

    def add_contents(self, contents: Sequence[Content]) -> None:
        """Keep the texts whose ref is new."""
        for new in contents:
            text = StoredContent(ref=new.ref, subject=new.subject, salt=new.salt, body=new.body)
            self.contents.setdefault(new.ref, text)
            self.uses.setdefault(new.ref, set()).add(new.stream)

    def add_keys(self, keys: Sequence[ContentKey]) -> None:
        """Nothing is encrypted here."""

    def erase(self, runs: Sequence[str]) -> None:
        """Destroy what is kept of the runs beside their events; a text that another run uses too stays."""
        for ref, streams in list(self.uses.items()):
            streams.difference_update(runs)
            if not streams:
                del self.uses[ref], self.contents[ref]
        self.claims = {name: claim for name, claim in self.claims.items() if claim.run not in runs}
        self.cached = {name: entry for name, entry in self.cached.items() if entry.run not in runs}


class MemoryStore:
    """The EventStore port without a database; what it holds ends with it."""

    def __init__(self, *, clock: Callable[[], Timestamp] = _now) -> None:
        self._log = MemoryLog()
        self._clock = clock
        self._mutex = threading.Lock()
        self._wakeups = Wakeups()
        self._secret = os.urandom(32)
        self._closed = False

    def _open_log(self) -> MemoryLog:
        if self._closed:
            raise StoreUnavailable("the event store is closed: open a new one")
        return self._log

    async def append(self, append: Append) -> AppendResult:
        """Record it. Raises EventIdReused, StoreUnavailable."""
        prepared = Prepared.of(append)
        with self._mutex:
            log = self._open_log()
            log.recorded_at = max(log.head.recorded_at, self._clock())
            outcome = apply(log, prepared)
        if isinstance(outcome, StoreError):
            raise outcome
        self._wakeups.ring()
        return outcome

    async def read_stream(self, stream: str, *, after: int = 0) -> Sequence[RecordedEvent]:
        """The stream's events with a version above `after`, in order; empty where there is none."""
        return self._open_log().streams.get(stream, [])[max(0, after) :]

    def recorded(self) -> Sequence[RecordedEvent]:
        """The whole log, which grows while it is looked at; for folds that run beside the loop."""
        return self._open_log().events

    async def read_all(
        self, *, after: int = 0, limit: int = 1000, types: Sequence[str] = (), stream_prefix: str = ""
    ) -> Sequence[RecordedEvent]:
        """One page of the log in order of position; fewer than `limit` events means the end."""
        return _page(self._open_log().events[max(0, after) :], limit, types, stream_prefix)

    async def read_family(self, prefix: str, *, after: int = 0) -> Sequence[RecordedEvent]:
        """The events above a position of the streams whose name begins so, in its order."""
        streams = self._open_log().streams.items()
        events = (event for name, events in streams if name.startswith(prefix) for event in events)
        return sorted((event for event in events if event.position > after), key=attrgetter("position"))

    async def read_backwards(
        self, *, before: int | None = None, limit: int = 1000, types: Sequence[str] = (), stream_prefix: str = ""
    ) -> Sequence[RecordedEvent]:
        """One page from the end (or from below `before`), newest first."""
        events = self._open_log().events[: None if before is None else max(0, before - 1)]
        return _page(events[::-1], limit, types, stream_prefix)

    async def tail(self, *, after: int = 0) -> AsyncIterator[RecordedEvent]:
        """Every event above `after` in order, then each new one as it is recorded; never ends by itself."""
        while True:
            seat = self._wakeups.sit()
            try:
                if not (page := await self.read_all(after=after)):
                    await seat[1]
            finally:
                self._wakeups.leave(seat)
            for event in page:
                yield event
                after = event.position

    async def head(self) -> int:
        """The last position; 0 for an empty log."""
        return self._open_log().head.position

    @property
    def appending(self) -> int:
        """None: an append is done at once."""
        return 0

    async def contents(self, refs: Sequence[str]) -> dict[str, StoredContent]:
        """The texts that still exist."""
        contents = self._open_log().contents
        return {ref: contents[ref] for ref in refs if ref in contents}

    async def balances(self) -> Sequence[Balance]:
        """Every balance row, sorted by scope, period, money and period key."""
        log = self._open_log()
        return [
            Balance(
                scope=scope,
                period=period,
                money=Money(money),
                period_key=key,
                limit=log.limits.get((scope, period)),
                held=held,
                settled=settled,
            )
            for (scope, period, money, key), (held, settled) in sorted(log.balances.items())
        ]

    async def budgets(self) -> Sequence[tuple[str, str, int]]:
        """Scope, period and limit in picodollars of every budget that is set, sorted."""
        return [(*budget, limit) for budget, limit in sorted(self._open_log().limits.items())]

    async def idempotency(self, owner: str, key: str) -> IdempotencyClaim | None:
        """Who has the key. Raises InvalidRequest for one that no store can hold."""
        check_key(key)
        return self._open_log().claim(owner, key)

    async def cached(self, owner: str, fingerprint: bytes, *, now: Timestamp) -> CacheEntry | None:
        """The entry, unless it has expired by `now`."""
        entry = self._open_log().cached.get((owner, fingerprint))
        return entry if entry is not None and entry.expires_at > now else None

    @property
    def level(self) -> int:
        """All that this release can write: no other reads it."""
        return newest()

    async def content_secret(self) -> bytes:
        """The store's own key for fingerprints of texts: 32 random bytes, made once."""
        return self._secret

    async def aclose(self) -> None:
        """Refuse everything from now on."""
        self._closed = True
        self._wakeups.ring()


def _recorded(row: LogRow) -> RecordedEvent:
    named: dict[str, Any] = dict(zip(_FIELDS, row, strict=True))
    return RecordedEvent(**named)


def _page(events: Sequence[RecordedEvent], limit: int, types: Sequence[str], stream_prefix: str) -> list[RecordedEvent]:
    wanted = (e for e in events if (not types or e.type in types) and e.stream.startswith(stream_prefix))
    return [event for _, event in zip(range(limit), wanted, strict=False)]
