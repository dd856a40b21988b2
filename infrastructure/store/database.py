"""Upgrading a database, and telling how it stands; SQLite files and PostgreSQL.

SQLAlchemy and Alembic are loaded for the upgrade of PostgreSQL only: a file upgrades itself with the same .sql files.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ...domain.errors import ConfigurationError, StoreUnavailable
from ..database_url import masked
from ..event_levels import newest
from ..migrations.revisions import NEWEST
from .file_lock import FileLock
from .level import FILE_LEVEL, level_of
from .opening import sqlite_path
from .sqlite_connection import connect_reader, translated
from .sqlite_schema import bring_up_to_date


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStatus:
    """How a database stands."""

    database: str  # the address, its password masked
    server: str  # SQLite 3.45.1, PostgreSQL 18.1
    size: int  # bytes
    revision: str | None  # of its schema; None: there is none yet
    newest: str  # the one this release works with
    events: int | None  # the log's head; None where the schema is not this release's
    level: int | None = None  # of events; None where the schema is not this release's
    newest_level: int = 1  # the one that this release reads and, once the database is finalized, writes
    durability: dict[str, str]  # the settings that decide whether a commit survives a power cut
    warnings: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether this release works with it as it is."""
        return self.revision == self.newest


def upgrade(url: str) -> None:
    """Bring the database to this release's schema. Raises StoreUnavailable, StoreTooNew, StoreCorrupted."""
    if not url.startswith("sqlite:"):
        from .migrating import upgrade_postgres

        upgrade_postgres(url)
        return
    path = file_of(url)
    with translated(path):
        bring_up_to_date(path, FileLock(path.with_name(f"{path.name}.lock")))


def status(url: str) -> DatabaseStatus:
    """How the database stands; changes nothing. Raises StoreUnavailable where it cannot be reached."""
    if not url.startswith("sqlite:"):
        from .postgres_status import postgres_status

        return postgres_status(url)
    path = file_of(url)
    if not path.exists():
        raise StoreUnavailable(f"database {path}: there is none yet; the first run creates it, or: db upgrade")
    with translated(path), closing(connect_reader(path)) as connection:
        return _file_status(url, path, connection)


def _file_status(url: str, path: Path, connection: sqlite3.Connection) -> DatabaseStatus:
    (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    revision = _revision(connection)
    head = connection.execute("SELECT position FROM log_head").fetchone() if revision == NEWEST else None
    wal = path.with_name(f"{path.name}-wal")
    return DatabaseStatus(
        database=masked(url),
        server=f"SQLite {sqlite3.sqlite_version}",
        size=path.stat().st_size + (wal.stat().st_size if wal.exists() else 0),
        revision=revision,
        newest=NEWEST,
        events=head[0] if head else None,
        # A writer that cannot have FULL refuses to open, see sqlite_connection.
        durability={"journal_mode": journal, "synchronous": "full"},
        level=None if head is None else level_of(next((row[0] for row in connection.execute(FILE_LEVEL)), None)),
        newest_level=newest(),
    )


def _revision(connection: sqlite3.Connection) -> str | None:
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'").fetchone():
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def file_of(url: str) -> Path:
    """The file of a SQLite database. Raises ConfigurationError for one in memory."""
    path = sqlite_path(url)
    if path is None:
        raise ConfigurationError("a database in memory has no schema to look after: name a file or a server")
    return path
