"""A SQLite file rewritten, copied and brought back, while other processes use it."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ...domain.errors import InvalidRequest, StoreCorrupted, StoreUnavailable
from .file_lock import FileLock
from .sqlite_connection import connect_reader, connect_writer, create_private, translated
from .sqlite_schema import bring_up_to_date, schema_revision
from .sqlite_state import state_path


@dataclass(frozen=True, slots=True)
class Copied:
    """A whole copy of a database."""

    file: Path
    size: int  # bytes
    events: int  # the head of its log


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


def backup(path: Path, target: Path) -> Copied:
    """A consistent copy of the database, while others write. `target` appears whole or not at all.

    Raises InvalidRequest where it exists, StoreUnavailable, StoreCorrupted.
    """
    if not path.exists():
        raise StoreUnavailable(f"database {path}: there is none yet, so there is nothing to back up")
    _refuse_existing(target, "name another file, or move it away")
    return _copied(path, target)


def restore(file: Path, path: Path) -> Copied:
    """Put a copy in the place of a database that is not there, and bring it to this release's schema.

    The state beside the database belongs to the former log, so it must be gone too. Raises InvalidRequest where one of
    them is there, StoreCorrupted, StoreTooNew, StoreUnavailable.
    """
    if not file.is_file():
        raise InvalidRequest(f"there is no file {file}")
    wal = path.with_name(f"{path.name}-wal")
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f"{path.name}.lock"))
        try:
            with lock:
                for there in (path, wal, state_path(path)):
                    _refuse_existing(there, "stop the processes that use it and move it away; it is not written over")
                copied = _copied(file, path)
            bring_up_to_date(path, lock)
        finally:
            lock.close()
    return copied


def _copied(source: Path, target: Path) -> Copied:
    """A copy of a sound log; nothing that was deleted from it is in the copy."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    with translated(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        create_private(part)
    try:
        with translated(source), closing(connect_reader(source)) as connection:
            if schema_revision(connection, source) is None:
                raise StoreCorrupted(f"database {source}: it has no event log")
            connection.execute("VACUUM INTO ?", (str(part),))
        with translated(part), closing(connect_reader(part)) as copy:
            (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
            (events,) = copy.execute("SELECT position FROM log_head").fetchone()
        if verdict != "ok":
            raise StoreCorrupted(f"database {source}: it is damaged ({verdict}), so no copy was made")
        with translated(target):
            _to_disk(part)
            part.rename(target)
            if os.name == "posix":  # elsewhere a folder has no descriptor
                _to_disk(target.parent)
            return Copied(target, target.stat().st_size, events)
    finally:
        part.unlink(missing_ok=True)


def _refuse_existing(file: Path, advice: str) -> None:
    if file.exists():
        raise InvalidRequest(f"{file} exists already: {advice}")


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
