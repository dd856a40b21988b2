"""NAME.state.db, beside the log: disposable, so its commits do not wait for the disk.

Made on first use; deleting the file (while no process uses it) loses nothing that the log does not say. Writing
processes take turns by a lock file of its own, so that they never wait for a commit of the log.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

from ...domain.errors import StoreCorrupted
from .file_lock import FileLock
from .fork_safety import watch
from .sqlite_connection import BUSY_TIMEOUT, create_private, translated

T = TypeVar("T")


class StateFile:
    """One opening of the file, with the tables its user needs. Usable from any thread, and after a fork."""

    def __init__(self, path: Path | None, schema: str) -> None:
        """`schema` is of CREATE TABLE IF NOT EXISTS. A path of None keeps the tables in memory."""
        self._path = path or Path(":memory:")
        self._schema = schema
        self._lock = None if path is None else FileLock(path.with_name(f"{path.name}.lock"))
        self._mutex = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        watch(self)

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, alone among all who use the file; each of its statements commits by itself.

        It must read each statement's rows to their end, because the statement's transaction ends with it.
        """
        with self._mutex, self._explained():
            return work(self._opened())

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` returns, which only reads: nobody who writes is waited for."""
        with self._mutex:
            if self._connection is not None:
                with self._translated():
                    return work(self._connection)
        return self.run(work)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._mutex:
            self._close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors with what to do about a file that can be done without; and one process at a time."""
        with self._translated():
            if self._lock is None:
                yield
                return
            if self._connection is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                yield

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _open(self._path, self._schema)
        return self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            with translated(self._path):
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


def _open(path: Path, schema: str) -> sqlite3.Connection:
    if str(path) != ":memory:":
        create_private(path)
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(schema)
    except BaseException:
        connection.close()
        raise
    return connection
