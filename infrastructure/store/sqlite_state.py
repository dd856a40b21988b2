"""Leases in NAME.state.db, beside the log: disposable, so its commits do not wait for the disk.

Made on first use; deleting the file (while no process uses it) loses nothing that the log does not say. Writing
processes take turns by a lock file of its own, so that leases never wait for a commit of the log.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ...application.ports import Lease
from ...domain.errors import StoreCorrupted
from ...domain.units import Duration, Timestamp
from .file_lock import FileLock
from .fork_safety import watch
from .sqlite_connection import BUSY_TIMEOUT, translated

_SCHEMA = """
CREATE TABLE IF NOT EXISTS leases (
    run TEXT NOT NULL PRIMARY KEY,
    worker TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""
# The database's clock, the system's, in microseconds; SQLite asks it to the millisecond. One value a statement.
_NOW = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000"
_ACQUIRE = f"""
INSERT INTO leases (run, worker, epoch, expires_at) VALUES (:run, :worker, :epoch, {_NOW} + :ttl)
ON CONFLICT (run) DO UPDATE SET worker = excluded.worker, epoch = excluded.epoch, expires_at = excluded.expires_at
WHERE leases.worker = excluded.worker OR leases.expires_at <= {_NOW}
RETURNING run, worker, epoch, expires_at
"""
_MINE = "run = :run AND worker = :worker AND epoch = :epoch"
_RENEW = f"""
UPDATE leases SET expires_at = max(expires_at, {_NOW} + :ttl)
WHERE {_MINE} AND expires_at > {_NOW} RETURNING run, worker, epoch, expires_at
"""
_RELEASE = f"DELETE FROM leases WHERE {_MINE} RETURNING run, worker, epoch, expires_at"
_HOLDER = f"SELECT run, worker, epoch, expires_at FROM leases WHERE run = :run AND expires_at > {_NOW}"


def state_path(database: Path) -> Path:
    """NAME.state.db beside NAME.db."""
    return database.with_name(f"{database.stem}.state.db")


class SqliteLeases:
    """The LeaseStore port on the state file. Usable from any thread, and after a fork."""

    def __init__(self, path: Path | None) -> None:
        """None keeps them in memory."""
        self._path = path or Path(":memory:")
        self._lock = None if path is None else FileLock(path.with_name(f"{path.name}.lock"))
        self._mutex = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        watch(self)

    async def acquire(self, run: str, *, worker: str, epoch: int, ttl: Duration) -> Lease | None:
        """Take a lease that is free, expired or already this worker's; None while another holds it."""
        return self._lease(_ACQUIRE, run=run, worker=worker, epoch=epoch, ttl=ttl)

    async def renew(self, lease: Lease, *, ttl: Duration) -> Lease | None:
        """A later expiry; None where the lease was lost."""
        return self._lease(_RENEW, run=lease.run, worker=lease.worker, epoch=lease.epoch, ttl=ttl)

    async def release(self, lease: Lease) -> None:
        """Give it back; a lease that was lost is left alone."""
        self._lease(_RELEASE, run=lease.run, worker=lease.worker, epoch=lease.epoch)

    async def holder(self, run: str) -> Lease | None:
        """The lease that is in force, if any."""
        return self._lease(_HOLDER, run=run)

    async def aclose(self) -> None:
        """Close the file; the next call opens it again."""
        with self._mutex:
            self._close()

    def _lease(self, statement: str, **parameters: Any) -> Lease | None:
        with self._mutex, self._explained():
            if self._connection is None:
                self._connection = _open(self._path)
            # fetchall, not fetchone: the statement must end, because its transaction ends with it.
            rows = self._connection.execute(statement, parameters).fetchall()
        for run, worker, epoch, expires_at in rows:
            return Lease(run=run, worker=worker, epoch=epoch, expires_at=Timestamp(expires_at))
        return None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors with what to do about a file that can be done without; and one process at a time."""
        try:
            with translated(self._path):
                if self._lock is None:
                    yield
                    return
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with self._lock:
                    yield
        except StoreCorrupted as error:
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
        """Let them in again; the next one opens what it needs."""
        self._mutex.release()


def _open(path: Path) -> sqlite3.Connection:
    if str(path) != ":memory:":
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection
