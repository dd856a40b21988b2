"""`db finalize`: from now on every worker writes what this release can. It goes one way only."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ...domain.errors import InvalidRequest, StoreUnavailable
from ..database_url import masked
from ..event_levels import newest
from ..migrations.revisions import NEWEST
from .database import file_of
from .file_lock import FileLock
from .level import FILE_LEVEL, KEY, level_of
from .sqlite_connection import connect_reader, connect_writer, translated
from .sqlite_schema import schema_revision

UPGRADE = "run: model-orchestrator db upgrade"
_RAISE_FILE = f"INSERT INTO meta VALUES ('{KEY}', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalized:
    """The level of events before and now."""

    before: int
    now: int


def finalize(url: str, *, anyway: bool = False) -> Finalized:
    """Raise the database's level of events to this release's.

    Raises InvalidRequest while a process of an older release uses it, as far as the database knows, unless `anyway`;
    StoreUnavailable where its schema is not this release's.
    """
    if not url.startswith("sqlite:"):
        return _finalize_server(url, anyway=anyway)
    path = file_of(url)
    if not path.exists():
        raise StoreUnavailable(f"database {path}: there is none yet; the first run creates it at the newest level")
    with translated(path):
        with closing(connect_reader(path)) as reader:
            if (revision := schema_revision(reader, path)) != NEWEST:
                raise StoreUnavailable(f"database {path} has schema {revision}, this release needs {NEWEST}; {UPGRADE}")
            before = level_of(next((row[0] for row in reader.execute(FILE_LEVEL)), None))
        if before >= newest():
            return Finalized(before=before, now=before)
        with FileLock(path.with_name(f"{path.name}.lock")) as lock:
            if not anyway:
                _expect_alone(path)
            with closing(connect_writer(path)) as writer:
                writer.execute(_RAISE_FILE, (str(newest()).encode(),))
        lock.close()
    return Finalized(before=before, now=newest())


def _expect_alone(path: Path) -> None:
    """A file does not say which release another process is of. Raises InvalidRequest where one has it open."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY":
                raise
            raise InvalidRequest(
                f"database {path}: other processes have it open, and it is unknown of which release they are: stop "
                "those of an older one, then all for a moment, or say --anyway"
            ) from None


def _finalize_server(url: str, *, anyway: bool) -> Finalized:
    from . import postgres_connection as server
    from .postgres_levels import older_workers, raise_level, stored_level

    with server.connect(url) as connection, server.translated(url):
        server.check_schema(url, connection)
        before = stored_level(connection)
        if before >= newest():
            return Finalized(before=before, now=before)
        older = older_workers(connection)
        if older and not anyway:
            raise InvalidRequest(_still_there(masked(url), older))
        return Finalized(before=before, now=raise_level(connection))


def _still_there(database: str, older: Sequence[str]) -> str:
    shown = "; ".join(older[:5]) + (f"; and {len(older) - 5} more" if len(older) > 5 else "")
    return (
        f"{database}: workers of an older release are connected ({shown}): replace them first, or say --anyway; "
        "they could not read what is written from then on"
    )
