"""A SQLite file rewritten, copied and brought back, while other processes use it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from ...domain.errors import StoreUnavailable
from .file_lock import FileLock
from .sqlite_connection import connect_writer, translated


def vacuum(path: Path) -> None:
    """Rewrite the file without what was deleted, and empty the write-ahead log; writers wait meanwhile.

    Deleting alone leaves copies: a page that was split keeps the bytes of rows that moved away. Raises
    StoreUnavailable where a reader does not let go of the write-ahead log.
    """
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        with translated(path), lock, closing(connect_writer(path)) as connection:
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("VACUUM")
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        lock.close()
    if busy:
        raise StoreUnavailable(
            f"database {path}: what was deleted may still stand in {path.name}-wal, because another program reads the "
            "file: let it end, then run: model-orchestrator db vacuum"
        )
