"""The embedded event store: one SQLite file, any number of processes on one machine.

Writes: write-ahead log, synchronous=FULL, one transaction a batch, under a lock file `NAME.lock` that all processes
share. Reads: a connection of their own that never waits. What other processes commit is noticed by asking SQLite for
its data version every POLL seconds; this process's own commits wake its tails at once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path

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
from .append_checks import check_key
from .append_rules import Prepared
from .file_lock import FileLock
from .fork_safety import watch
from .gathering import SharedReads
from .group_commit import GroupCommit, Upkeep
from .level import KnownLevel
from .sealing import Sealed, Sealing
from .sqlite_connection import translated
from .sqlite_reader import END, DataVersion, SqliteReader
from .sqlite_schema import bring_up_to_date
from .sqlite_transaction import now
from .sqlite_writer import SqliteWriter
from .wakeups import Wakeups

POLL = 0.025  # seconds until a tail sees another process's commit, at most
TAIL_PAGE = 500


class SqliteStore:
    """The EventStore port on a SQLite file, which is created or upgraded first."""

    def __init__(
        self, path: Path, *, content_keys: OuterKeys | None = None, clock: Callable[[], Timestamp] = now
    ) -> None:
        lock = FileLock(path.with_name(f"{path.name}.lock"))
        with translated(path):
            bring_up_to_date(path, lock)
        self.path = path
        self._writer = SqliteWriter(path, lock, clock=clock)
        self._reader = SqliteReader(path)
        self._levels = KnownLevel()
        self._sealing = Sealing(content_keys)
        self._shared = SharedReads()
        self._wakeups = Wakeups()
        self._secret: bytes | None = None  # once read
        self._commits = GroupCommit(
            self._writer.append_batch,
            append_inline=self._writer.append_inline,
            after_commit=self._wakeups.ring,
            upkeep=Upkeep(self._writer.checkpoint_is_due, self._writer.checkpoint),
        )
        watch(self)

    async def append(self, append: Append) -> AppendResult:
        """Make it durable, then return. Raises EventIdReused, StoreUnavailable."""
        sealed = self._sealing.seal(append, self._reader) if self._sealing.concerns(append) else Sealed(append)
        result = await self._commits.append(Prepared.of(sealed.append))
        if isinstance(result, Appended):
            self._sealing.stored(append, sealed)
        return result

    async def read_stream(self, stream: str, *, after: int = 0) -> Sequence[RecordedEvent]:
        """The stream's events with a version above `after`, in order; empty where there is none."""
        return self._reader.stream(stream, after)

    async def read_all(
        self, *, after: int = 0, limit: int = 1000, types: Sequence[str] = (), stream_prefix: str = ""
    ) -> Sequence[RecordedEvent]:
        """One page of the log in order of position; fewer than `limit` events means the end."""
        return self._reader.page(after=after, limit=limit, types=types, stream_prefix=stream_prefix)

    async def read_family(self, prefix: str, *, after: int = 0) -> Sequence[RecordedEvent]:
        """The events above a position of the streams whose name begins so, in its order."""
        return await self._shared.read((prefix, after), partial(self._family, prefix, after))

    async def read_backwards(
        self, *, before: int | None = None, limit: int = 1000, types: Sequence[str] = (), stream_prefix: str = ""
    ) -> Sequence[RecordedEvent]:
        """One page from the end (or from below `before`), newest first."""
        start = END if before is None else before
        return self._reader.page(before=start, limit=limit, types=types, stream_prefix=stream_prefix)

    async def tail(self, *, after: int = 0) -> AsyncIterator[RecordedEvent]:
        """Every event above `after` in order, then each new one as it is committed; never ends by itself."""
        while True:
            seat = self._wakeups.sit()
            try:
                seen = self._reader.data_version()
                page = self._reader.page(after=after, limit=TAIL_PAGE)
                if not page:
                    await self._until_news(seat[1], seen)
            finally:
                self._wakeups.leave(seat)
            for event in page:
                yield event
                after = event.position

    async def _until_news(self, rung: asyncio.Future[None], seen: DataVersion) -> None:
        while not rung.done() and self._reader.data_version() == seen:
            await asyncio.wait((rung,), timeout=POLL)

    async def head(self) -> int:
        """The last position; 0 for an empty log."""
        return self._reader.head()

    @property
    def appending(self) -> int:
        """Appends of this process that are not durable yet."""
        return self._commits.callers

    @property
    def level(self) -> int:
        """The level of events that is written."""
        if self._levels.is_stale:
            self._levels.found(self._reader.level())
        return self._levels.level

    async def contents(self, refs: Sequence[str]) -> dict[str, StoredContent]:
        """The texts that still exist. Raises ConfigurationError where the key they are encrypted under is not set."""
        return self._sealing.open(self._reader.contents(refs), self._reader)

    async def balances(self) -> Sequence[Balance]:
        """Every balance row, sorted by scope, period, money and period key."""
        return self._reader.balances()

    async def budgets(self) -> Sequence[tuple[str, str, int]]:
        """Scope, period and limit in picodollars of every budget that is set, sorted."""
        return await self._shared.read("budgets", self._budgets)

    async def idempotency(self, owner: str, key: str) -> IdempotencyClaim | None:
        """Who has the key. Raises InvalidRequest for one that no store can hold."""
        check_key(key)
        return self._reader.claim(owner, key)

    async def cached(self, owner: str, fingerprint: bytes, *, now: Timestamp) -> CacheEntry | None:
        """The entry, unless it has expired by `now`."""
        return self._reader.cached(owner, fingerprint, now)

    async def content_secret(self) -> bytes:
        """The database's own key for fingerprints of texts: 32 random bytes, made once."""
        if self._secret is None:
            self._secret = self._reader.content_secret()
        if self._secret is None:
            with translated(self.path):
                self._secret = self._writer.content_secret(os.urandom(32))
        return self._secret

    async def _family(self, prefix: str, after: int) -> Sequence[RecordedEvent]:
        return self._reader.family(prefix, after)

    async def _budgets(self) -> Sequence[tuple[str, str, int]]:
        return self._reader.budgets()

    async def aclose(self) -> None:
        """Finish what is under way and close."""
        await self._commits.aclose()
        self._reader.close()
        self._writer.close()
        self._wakeups.ring()

    def before_fork(self) -> None:
        """Close what a child must not inherit; parent and child open again when they need it."""
        self._writer.before_fork()
        self._reader.before_fork()

    def after_fork(self, *, child: bool) -> None:
        """Work may begin again; a child leaves its parent's callers to the parent."""
        self._reader.after_fork()
        self._writer.after_fork()
        if child:
            self._commits.after_fork_in_child()
            self._wakeups.after_fork_in_child()
