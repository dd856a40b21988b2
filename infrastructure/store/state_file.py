"""NAME.state.db, beside the log: disposable, so its commits do not wait for the disk.

Made on first use; deleting the file (while no process uses it) loses nothing that the log does not say. Writing
processes take turns by a lock file of its own, so that they never wait for a commit of the log.

A change takes some 15 microseconds, handing it to a thread 100: `alone` makes it in the event loop while nobody else is
at the file, and the changes of callers who come together in one transaction. What may wait, for the disk (opening it,
its checkpoints) or for a foreign program, is a thread's.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ...domain.errors import StoreCorrupted
from . import sqlite_connection, wal
from .file_lock import FileLock
from .fork_safety import watch
from .gathering import Gathering
from .sqlite_connection import create_private, explain, is_busy, translated

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
Outcome = tuple[T] | tuple[()]  # nothing where it was not done
CHECKPOINT_EVERY = 500  # changes by one opening; one writes a page or two, one that many share a few more
LONG = 2 * CHECKPOINT_EVERY  # frames that whoever opens the file copies: many openings end before their 500


class StateFile:
    """One opening of the file, with the tables its user needs. Usable from any thread, and after a fork."""

    def __init__(self, path: Path | None, schema: str) -> None:
        """`schema` is of CREATE TABLE IF NOT EXISTS. A path of None keeps the tables in memory."""
        self._path = path or Path(":memory:")
        self._schema = schema
        self._lock = None if path is None else FileLock(path.with_name(f"{path.name}.lock"))
        self._mutex = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._changes = 0  # since the last checkpoint of this opening
        self._gathering = Gathering()
        self._waiting: dict[asyncio.AbstractEventLoop, list[tuple[Work[Any], asyncio.Future[Outcome[Any]]]]] = {}
        watch(self)

    async def alone(self, work: Work[T]) -> T:
        """`run`, without ever making the event loop wait.

        Where a foreign program holds the file, `work` is begun again from its start, in a thread.
        """
        loop = asyncio.get_running_loop()
        outcome: Outcome[T]
        if self._gathering.is_alone(loop):
            (outcome,) = self._at_once([work])
        else:
            outcome = await self._with_others(loop, work)
        return outcome[0] if outcome else await asyncio.to_thread(self.run, work)

    def _with_others(self, loop: asyncio.AbstractEventLoop, work: Work[T]) -> asyncio.Future[Outcome[T]]:
        if loop not in self._waiting:
            self._waiting[loop] = []
            self._gathering.call(loop, self._do_all)
        future: asyncio.Future[Outcome[T]] = loop.create_future()
        self._waiting[loop].append((work, future))
        return future

    def _do_all(self, loop: asyncio.AbstractEventLoop) -> None:
        """Do what waits in one transaction; where that cannot be, each caller does their own in a thread."""
        waiting = [(work, future) for work, future in self._waiting.pop(loop) if not future.done()]
        self._gathering.came(len(waiting))
        try:
            outcomes = self._at_once([work for work, _ in waiting])
        except Exception as error:
            for _, future in waiting:
                future.set_exception(error)
        except BaseException:  # which ends the loop
            for _, future in waiting:
                future.cancel()
            raise
        else:
            for (_, future), outcome in zip(waiting, outcomes, strict=True):
                future.set_result(outcome)

    def _at_once(self, works: Sequence[Work[Any]]) -> Sequence[Outcome[Any]]:
        """Their outcomes; of none, where somebody would have to be waited for, or one of many failed.

        Raises what a single one raises: it may have changed something, and is not begun again.
        """
        if self._connection is not None and self._changes < CHECKPOINT_EVERY and self._mutex.acquire(blocking=False):
            try:
                if self._connection is not None and self._is_ours():
                    with suppress(_Busy):
                        return self._locked(partial(_together, works))
            finally:
                self._mutex.release()
        return [()] * len(works)

    def _is_ours(self) -> bool:
        """Whether the file lock could be taken without waiting for anybody."""
        with suppress(OSError):  # whoever waits for it meets it again, and is told
            return self._lock is None or self._lock.acquire(wait=False)
        return False

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, alone among all who use the file; each of its statements commits by itself.

        It must read each statement's rows to their end, because the statement's transaction ends with it.
        """
        with self._mutex:
            if self._lock is not None:
                with self._translated():
                    if self._connection is None:
                        self._path.parent.mkdir(parents=True, exist_ok=True)
                    self._lock.acquire()
            return self._locked(work, wait=True)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, which only reads: no other process is waited for while this one does not write."""
        if self._connection is not None and self._mutex.acquire(blocking=False):
            try:
                if self._connection is not None:
                    with suppress(_Busy), self._translated(wait=False):
                        return work(self._connection)
            finally:
                self._mutex.release()
        return await asyncio.to_thread(self.run, work)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._mutex:
            self._close()

    def _locked(self, work: Callable[[sqlite3.Connection], T], *, wait: bool = False) -> T:
        """Do it, then give the file lock back. Raises _Busy where only a foreign program could be waited for."""
        try:
            with self._translated(wait=wait):
                connection = self._opened()
                if self._changes >= CHECKPOINT_EVERY:
                    self._changes = 0
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self._changes += 1
                return _patiently(connection, work) if wait else work(connection)
        finally:
            if self._lock is not None:
                self._lock.release()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _open(self._path, self._schema)
            is_long = self._lock is not None and wal.has_frames(f"{self._path}-wal", LONG)
            self._changes = CHECKPOINT_EVERY if is_long else 0
        return self._connection

    @contextmanager
    def _translated(self, *, wait: bool = True) -> Iterator[None]:
        """Errors with what to do about a file that can be done without."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if not wait and is_busy(error):
                raise _Busy from error
            explained = explain(error, self._path)
            if not isinstance(explained, StoreCorrupted):
                raise explained from error
            raise StoreCorrupted(
                f"{self._path} is damaged: stop the processes that use it and delete it; nothing is lost with it"
            ) from error

    def _close(self) -> None:
        if self._connection is not None:
            with translated(self._path), self._lock or nullcontext():
                self._connection.close()
            self._connection = None
        if self._lock is not None:
            self._lock.close()

    def before_fork(self) -> None:
        """Close what a child must not inherit."""
        self._mutex.acquire()
        self._close()

    def after_fork(self, *, child: bool) -> None:
        """Let them in again; the next one opens what it needs. A child leaves its parent's callers to the parent."""
        if child:
            self._waiting = {}
        self._mutex.release()


class _Busy(Exception):
    """A foreign program (a shell, a backup) holds SQLite's own lock."""


def _together(works: Sequence[Work[Any]], connection: sqlite3.Connection) -> Sequence[Outcome[Any]]:
    """The outcomes, in one transaction; of none, where one fails: each finds it by itself, and is told."""
    if len(works) == 1:
        return [(works[0](connection),)]
    try:
        connection.execute("BEGIN IMMEDIATE")
        outcomes: Sequence[Outcome[Any]] = [(work(connection),) for work in works]
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if not isinstance(error, Exception):
            raise
        return [()] * len(works)
    return outcomes


def _patiently(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute(f"PRAGMA busy_timeout={1000 * sqlite_connection.BUSY_TIMEOUT:.0f}")
    try:
        return work(connection)
    finally:
        connection.execute("PRAGMA busy_timeout=0")


def _open(path: Path, schema: str) -> sqlite3.Connection:
    if str(path) != ":memory:":
        create_private(path)
    connection = sqlite3.connect(
        path, timeout=sqlite_connection.BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.executescript(schema)
        connection.execute("PRAGMA busy_timeout=0")  # whoever may wait says so
    except BaseException:
        connection.close()
        raise
    return connection
