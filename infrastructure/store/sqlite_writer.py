"""The write side of the SQLite store: batches of appends, and checkpoints, one process at a time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...domain.errors import StoreError
from ...domain.units import Timestamp
from . import sqlite_connection, wal
from .append_rules import Outcome, Prepared, apply
from .file_lock import FileLock
from .sqlite_connection import connect_writer, explain, is_busy
from .sqlite_transaction import SqliteTransaction, now

CHECKPOINT_FRAMES = 1000  # pages of 4 KB: a checkpoint copies at most about 4 MB


class SqliteWriter:
    """Owns the writing connection and the file lock. Blocking; usable from any thread."""

    def __init__(self, path: Path, lock: FileLock, *, clock: Callable[[], Timestamp] = now) -> None:
        self._path = path
        self._wal = str(path.with_name(f"{path.name}-wal"))
        self._file_lock = lock
        self._clock = clock
        self._mutex = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._checkpoint_at = CHECKPOINT_FRAMES
        self._checkpoint_due = False

    def append_batch(self, appends: Sequence[Prepared]) -> list[Outcome]:
        """One outcome an append, durable when this returns; where the batch fails, each gets the reason."""
        with self._mutex:
            try:
                self._file_lock.acquire()
                return self._locked_append(appends)
            except (sqlite3.Error, OSError, StoreError) as error:
                return [self._failure(error) for _ in appends]

    def append_inline(self, appends: Sequence[Prepared]) -> list[Outcome] | None:
        """The same without waiting for anybody; None where another thread, process or program is writing."""
        if not self._mutex.acquire(blocking=False):
            return None
        try:
            if not self._file_lock.acquire(wait=False):
                return None
            return self._locked_append(appends, wait=False)
        except (sqlite3.Error, OSError, StoreError) as error:
            return None if is_busy(error) else [self._failure(error) for _ in appends]
        finally:
            self._mutex.release()

    def _locked_append(self, appends: Sequence[Prepared], *, wait: bool = True) -> list[Outcome]:
        """Append, then give the file lock back."""
        try:
            with self._transaction(wait=wait) as connection:
                tx = SqliteTransaction(connection, self._clock(), appends)
                outcomes = [apply(tx, append) for append in appends]
                tx.finish()
            self._checkpoint_due = wal.has_frames(self._wal, self._checkpoint_at)
            return outcomes
        finally:
            self._file_lock.release()

    @contextmanager
    def _transaction(self, *, wait: bool = True) -> Iterator[sqlite3.Connection]:
        """BEGIN IMMEDIATE to COMMIT, all or nothing. The file lock is held."""
        connection = self._opened(wait=wait)
        try:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not (wait and is_busy(error)):
                    raise
                _begin_patiently(connection)
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            # A fresh connection knows only what the file says: after a failed write nothing in memory is trusted.
            self._connection = None
            connection.close()
            raise

    def _opened(self, *, wait: bool = True) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = connect_writer(self._path, wait=wait)
            self._connection.execute("PRAGMA busy_timeout=0")  # whoever may wait says so
        return self._connection

    def content_secret(self, fresh: bytes) -> bytes:
        """The stored secret; `fresh` becomes it where there is none yet."""
        with self._mutex, self._file_lock, self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('content_secret', ?)", (fresh,))
            row = connection.execute("SELECT value FROM meta WHERE key = 'content_secret'").fetchone()
            return bytes(row[0])

    def checkpoint_is_due(self) -> bool:
        """Whether the write-ahead log is long."""
        return self._checkpoint_due

    def checkpoint(self) -> None:
        """Copy the write-ahead log into the database, as far as readers let it. Failing is no harm: the log stays."""
        with self._mutex:
            self._checkpoint_due = False
            try:
                with self._file_lock:
                    self._locked_checkpoint()
            except (sqlite3.Error, OSError):
                self._checkpoint_at += CHECKPOINT_FRAMES

    def _locked_checkpoint(self) -> None:
        if self._connection is None or not wal.has_frames(self._wal, self._checkpoint_at):
            return  # another process was faster
        _, frames, copied = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._checkpoint_at = CHECKPOINT_FRAMES if frames == copied else frames + CHECKPOINT_FRAMES

    def _failure(self, error: sqlite3.Error | OSError | StoreError) -> StoreError:
        """A new error object for each caller: a traceback grows on each raise."""
        if isinstance(error, StoreError):
            return type(error)(*error.args)
        return explain(error, self._path)

    # ---- closing ----

    def close(self) -> None:
        """Close the connection; the last one to close a file also checkpoints, so under the file lock."""
        with self._mutex:
            self._close_all()

    def _close_all(self) -> None:
        if self._connection is not None:
            try:
                self._file_lock.acquire()
            finally:
                self._connection.close()
                self._connection = None
        self._file_lock.close()

    def before_fork(self) -> None:
        """Close, and keep the others out until after the fork."""
        self._mutex.acquire()
        self._close_all()

    def after_fork(self) -> None:
        """Let them in again; the next one opens what it needs."""
        self._mutex.release()


def _begin_patiently(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout={1000 * sqlite_connection.BUSY_TIMEOUT:.0f}")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("PRAGMA busy_timeout=0")
