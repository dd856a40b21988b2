"""Connections to a SQLite file, and what its errors mean to a user."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...domain.errors import StoreCorrupted, StoreError, StoreUnavailable

BUSY_TIMEOUT = 10.0  # seconds; only a foreign program (a shell, a backup) ever holds SQLite's own lock against us
FULL = 2  # what PRAGMA synchronous says for FULL

_CORRUPT = {"SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT"}
_DENIED = {"SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_READONLY", "SQLITE_AUTH"}
_HELP = {
    "SQLITE_FULL": "the disk is full: free some space, then try again; nothing was written",
    "SQLITE_BUSY": "another program holds it locked: close that program or wait, then try again",
    "SQLITE_IOERR": "reading or writing failed: check the disk's space and health, then try again",
    "SQLITE_NOTADB": "this is not a SQLite database: name another file, or put a backup in its place",
}


def connect_writer(path: Path, *, wait: bool = True) -> sqlite3.Connection:
    """A connection whose COMMIT returns after the disk has the data. Raises StoreUnavailable where it cannot."""
    connection = _connect(str(path), uri=False, timeout=BUSY_TIMEOUT if wait else 0)
    try:
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute("PRAGMA wal_autocheckpoint=0")  # checkpoints run under the file lock only
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=1")  # macOS: fsync alone leaves the data in the drive's cache
        connection.execute("PRAGMA checkpoint_fullfsync=1")
        (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    except BaseException:
        connection.close()
        raise
    if mode != "wal" or synchronous != FULL:
        connection.close()
        raise StoreUnavailable(
            f"database {path}: this file system cannot hold it (journal {mode}, synchronous {synchronous}, expected "
            "wal and 2): use a local disk, or postgresql://"
        )
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, and so never checkpoints, not even when it is the last to close."""
    return _connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT)


def create_private(path: Path) -> None:
    """An empty file that is its owner's alone; one that exists is not touched.

    Not even opened: closing a descriptor of a file drops every POSIX lock the process has on it, those of SQLite's
    other connections included, and another process could then delete the write-ahead log under them.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _connect(target: str, *, uri: bool, timeout: float) -> sqlite3.Connection:
    # Threads share a connection under a lock of ours, so sqlite3's own check is off.
    return sqlite3.connect(target, timeout=timeout, isolation_level=None, check_same_thread=False, uri=uri)


def is_busy(error: Exception) -> bool:
    """Whether a foreign program (a shell, a backup) holds SQLite's own lock: ours hold the file lock first."""
    return getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors as the store's own."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise explain(error, path) from error


def explain(error: sqlite3.Error | OSError, path: Path) -> StoreError:
    """The store's error for one of SQLite's or the system's: which file, what is wrong, what to do."""
    if isinstance(error, OSError):
        return StoreUnavailable(f"database {path}: {error.strerror or error}: check the path and its permissions")
    name = getattr(error, "sqlite_errorname", "")
    family = "_".join(name.split("_")[:2])
    if family in _CORRUPT or "decode to UTF-8" in str(error):
        advice = _HELP.get(family, "the file is damaged: restore a backup, or keep the file and start another")
        return StoreCorrupted(f"database {path}: {error}: {advice}")
    if family in _DENIED:
        return StoreUnavailable(f"database {path}: {error}: check that the file and its folder can be written")
    return StoreUnavailable(f"database {path}: {error}: {_HELP.get(family, 'nothing was written')}")
