"""Brings a SQLite file to this release's schema, with bare sqlite3: no Alembic import, one SELECT when up to date.

The same .sql files are what Alembic's scripts execute, and the same table `alembic_version` says how far a file is.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ...domain.errors import StoreCorrupted, StoreTooNew
from ..event_levels import newest
from ..migrations.revisions import NEWEST, REVISIONS
from .file_lock import FileLock
from .level import KEY
from .sqlite_connection import connect_reader, connect_writer, create_private

_STAMP = """
CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
DELETE FROM alembic_version;
INSERT INTO alembic_version VALUES ('{revision}');
"""


def bring_up_to_date(path: Path, lock: FileLock) -> None:
    """Create or upgrade the file. Raises StoreTooNew, StoreCorrupted, sqlite3.Error, OSError."""
    if path.is_file():
        reader = connect_reader(path)
        try:
            if schema_revision(reader, path) == NEWEST:
                return
        finally:
            reader.close()
    _create_private(path)
    with lock:
        connection = connect_writer(path)
        try:
            _upgrade(connection, path)
        finally:
            connection.close()


def _create_private(path: Path) -> None:
    """Prompts are stored here: a new file is its owner's alone, and SQLite gives its companions the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    create_private(path)


def schema_revision(connection: sqlite3.Connection, path: Path) -> str | None:
    """The revision the file is at; None for one without tables. Raises StoreTooNew, StoreCorrupted."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        if "alembic_version" in tables:  # somebody made it between our two looks
            return schema_revision(connection, path)
        if tables:
            raise StoreCorrupted(
                f"database {path}: a SQLite file of another program: name another file, this one was left as it is"
            ) from error
        return None
    if row is not None and row[0] not in REVISIONS:
        raise StoreTooNew(
            f"database {path}: its schema is {row[0]!r}, this release knows up to {NEWEST!r}: "
            "upgrade model-orchestrator, or name another file"
        )
    return row[0] if row is not None else None


def _upgrade(connection: sqlite3.Connection, path: Path) -> None:
    # Another process may have upgraded it between our look and our lock.
    revision = schema_revision(connection, path)
    done = 0 if revision is None else REVISIONS.index(revision) + 1
    for name in REVISIONS[done:]:
        script = f"BEGIN IMMEDIATE;\n{revision_sql(name)}\n{_STAMP.format(revision=name)}\nCOMMIT;"
        try:
            connection.executescript(script)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    if not done:  # a new file: no older release reads it
        connection.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (KEY, str(newest()).encode()))


def revision_sql(name: str) -> str:
    """The SQL of a revision, from the installed package."""
    from importlib.resources import files  # 10 ms: only an upgrade pays

    return (files(__package__).joinpath("../migrations/versions") / f"{name}.sqlite.sql").read_text("utf-8")
