"""The event store on PostgreSQL: one schema for the log, any number of processes and hosts.

Appends go through the database's own function `log.append_events_v1`, in one round trip a batch; it holds the log's
head until the commit, so positions are gapless and follow the commits' order, and a reader that has seen position n has
seen everything before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from ...application.ports import (
    Append,
    Appended,
    AppendResult,
    Balance,
    CacheEntry,
    IdempotencyClaim,
    RecordedEvent,
    StoredContent,
)
from ...domain.units import Timestamp
from ..content_cipher import OuterKeys
from . import postgres_reader as read
from .append_checks import check_append, check_key
from .fork_safety import watch
from .gathering import SharedReads
from .group_commit import GroupCommit
from .level import KnownLevel
from .postgres_connection import Connection, check_schema
from .postgres_keys import PostgresKeys
from .postgres_levels import stored_level
from .postgres_listener import Listener
from .postgres_pipeline import PostgresPipeline
from .postgres_reader import ReadConnections
from .postgres_writer import PATIENCE, PostgresWriter
from .sealing import Sealed, Sealing
from .stream_names import span_of
from .wakeups import Wakeups

T = TypeVar("T")
PAGE = 1000  # events a tail reads at once
POLL = 1.0  # seconds after which a tail looks without having been woken


class PostgresStore:
    """EventStore on the database at `url`, which `db upgrade` has prepared. Blocks while it connects."""

    def __init__(self, url: str, *, content_keys: OuterKeys | None = None, patience: float = PATIENCE) -> None:
        self._sealing = Sealing(content_keys)
        self._reads = ReadConnections(url)
        try:
            self._reads.run(lambda connection: check_schema(url, connection))
        except BaseException:
            self._reads.close()
            raise
        self._pipeline = PostgresPipeline(url)
        self._levels = KnownLevel()
        self._look_at_level()
        self._shared = SharedReads()
        self._wakeups = Wakeups()
        self._secret: bytes | None = None  # once read
        self._listener = Listener(url, self._wakeups.ring)
        self._writer = PostgresWriter(url, patience=patience)
        self._commits = GroupCommit(self._writer.append_batch)
        watch(self)

    async def append(self, append: Append) -> AppendResult:
        """Make it durable, then return. Raises EventIdReused, StoreUnavailable."""
        check_append(append)
        if self._levels.is_stale:
            await asyncio.to_thread(self._look_at_level)
        sealed = await self._sealed(append) if self._sealing.concerns(append) else Sealed(append)
        result = await self._commits.append(sealed.append)
        if isinstance(result, Appended):
            self._sealing.stored(append, sealed)
        self._wakeups.ring()
        return result

    async def read_stream(self, stream: str, *, after: int = 0) -> Sequence[RecordedEvent]:
        """The stream's events with a version above `after`."""
        return await self._read(lambda connection: read.stream_events(connection, stream, after))

    async def read_all(
        self, *, after: int = 0, limit: int = PAGE, types: Sequence[str] = (), stream_prefix: str = ""
    ) -> Sequence[RecordedEvent]:
        """One page of the log in order of position."""
        return await self._read(lambda connection: read.page(connection, after, limit, types, stream_prefix))

    async def read_family(self, prefix: str, *, after: int = 0) -> Sequence[RecordedEvent]:
        """The events above a position of the streams whose name begins so, in its order."""
        ((last,),) = await self._shared.read(prefix, lambda: self._pipeline.rows(read.END_OF_FAMILY, span_of(prefix)))
        if last <= after:
            return []
        return await self._read(lambda connection: read.family_events(connection, prefix, after))

    async def read_backwards(
        self, *, before: int | None = None, limit: int = PAGE, types: Sequence[str] = (), stream_prefix: str = ""
    ) -> Sequence[RecordedEvent]:
        """One page from the end, newest first."""
        return await self._read(lambda connection: read.page_backwards(connection, before, limit, types, stream_prefix))

    async def tail(self, *, after: int = 0) -> AsyncIterator[RecordedEvent]:
        """Every event above `after`, then each new one."""
        await asyncio.to_thread(self._listener.start)
        while True:
            seat = self._wakeups.sit()
            try:
                events = await self.read_all(after=after)
                for event in events:
                    after = event.position
                    yield event
                if len(events) < PAGE:
                    await asyncio.wait([seat[1]], timeout=POLL)
            finally:
                self._wakeups.leave(seat)

    async def head(self) -> int:
        """The last position; 0 for an empty log."""
        return int(read.only(await self._pipeline.rows(read.HEAD)))

    @property
    def appending(self) -> int:
        """Appends of this process that are not durable yet."""
        return self._commits.callers

    @property
    def level(self) -> int:
        """The level of events that is written; looked up again before an append."""
        return self._levels.level

    async def contents(self, refs: Sequence[str]) -> dict[str, StoredContent]:
        """The texts that still exist. Raises ConfigurationError where the key they are encrypted under is not set."""
        return await self._read(lambda c: self._sealing.open(read.contents(c, refs), PostgresKeys(c)))

    async def balances(self) -> Sequence[Balance]:
        """Every balance row, sorted."""
        return await self._read(read.balances)

    async def budgets(self) -> Sequence[tuple[str, str, int]]:
        """Scope, period and limit in picodollars of every budget that is set, sorted."""
        rows = await self._shared.read(read.BUDGETS, lambda: self._pipeline.rows(read.BUDGETS))
        return [(scope, period, limit) for scope, period, limit in rows]

    async def idempotency(self, owner: str, key: str) -> IdempotencyClaim | None:
        """Who has the key. Raises InvalidRequest for one that no store can hold."""
        check_key(key)
        return await self._read(lambda connection: read.claim(connection, owner, key))

    async def cached(self, owner: str, fingerprint: bytes, *, now: Timestamp) -> CacheEntry | None:
        """The entry, unless it has expired by `now`."""
        return await self._read(lambda connection: read.cached(connection, owner, fingerprint, now))

    async def content_secret(self) -> bytes:
        """The database's own key for fingerprints of texts."""
        if self._secret is None:
            self._secret = await self._read(read.secret)
        return self._secret

    async def aclose(self) -> None:
        """Finish what is under way and close."""
        await self._commits.aclose()
        await self._pipeline.aclose()
        await asyncio.to_thread(self._close)

    def before_fork(self) -> None:
        """Connections stay open: the parent goes on with them."""

    def after_fork(self, *, child: bool) -> None:
        """A child starts with connections of its own."""
        if child:
            self._writer.forget()
            self._reads.after_fork_in_child()
            self._pipeline.after_fork_in_child()
            self._wakeups.after_fork_in_child()
            self._listener.after_fork_in_child()
            self._commits.after_fork_in_child()

    async def _sealed(self, append: Append) -> Sealed:
        return await self._read(lambda connection: self._sealing.seal(append, PostgresKeys(connection)))

    async def _read(self, query: Callable[[Connection], T]) -> T:
        return await asyncio.to_thread(self._reads.run, query)

    def _look_at_level(self) -> None:
        if self._levels.is_stale:
            self._levels.found(self._reads.run(stored_level))

    def _close(self) -> None:
        self._writer.close()
        self._reads.close()
        self._listener.close()
        self._wakeups.ring()  # tails look once more, and find the store closed
