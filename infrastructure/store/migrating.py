"""How Alembic meets our databases: its configuration without an .ini file, and connections whose transactions hold DDL.

Installed users get PostgreSQL upgraded through this; `alembic check` and `alembic revision` work on both kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from ...domain.errors import StoreTooNew
from ..database_url import masked
from ..migrations.revisions import NEWEST, REVISIONS
from .file_lock import FileLock
from .opening import sqlite_path
from .postgres_connection import Connection as PostgresConnection
from .postgres_connection import connect, schema_revision, translated, unavailable
from .postgres_levels import raise_level
from .sqlite_connection import connect_writer

_MIGRATIONS = Path(__file__).parent.parent / "migrations"
_UPGRADE_LOCK = 7230185002  # one upgrade of a PostgreSQL database at a time


def alembic_config(url: str) -> Config:
    """Alembic's configuration for a database."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


def upgrade_postgres(url: str) -> None:
    """Bring the database to this release's schema. Raises StoreUnavailable, StoreTooNew."""
    with connect(url) as connection, translated(url):
        revision = schema_revision(connection)
    if revision is not None and revision not in REVISIONS:
        raise StoreTooNew(
            f"{masked(url)} has schema {revision}, this release knows up to {NEWEST}: upgrade this release"
        )
    try:
        command.upgrade(alembic_config(url), "head")
        if revision is None:  # a new database: no older release reads it
            with connect(url) as connection:
                raise_level(connection)
    except (psycopg.Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, psycopg.Error):
            raise unavailable(url, cause) from None
        raise


@contextmanager
def connection_for_migrations(url: str) -> Iterator[Connection]:
    """A SQLAlchemy connection, alone among all who upgrade (PostgreSQL) or write (SQLite)."""
    if url.startswith("sqlite:"):
        path = sqlite_path(url)
        if path is None:
            raise ValueError("a database in memory cannot be migrated: name a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            FileLock(path.with_name(f"{path.name}.lock")) as lock,
            _connection("sqlite", lambda: connect_writer(path)) as c,
        ):
            event.listen(c, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
            yield c
        lock.close()
    else:
        with _connection("postgresql+psycopg", lambda: _alone(url)) as c:
            yield c


@contextmanager
def _connection(dialect: str, creator: Any) -> Iterator[Connection]:
    engine = create_engine(f"{dialect}://", creator=creator, poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def _alone(url: str) -> PostgresConnection:
    """A connection that holds the upgrade lock, with the schema for Alembic's own table."""
    connection = connect(url)
    try:
        with translated(url):
            connection.execute("SELECT pg_advisory_lock(%s)", (_UPGRADE_LOCK,))
            if connection.execute("SELECT to_regnamespace('log')").fetchall() == [(None,)]:
                connection.execute("CREATE SCHEMA log")
            connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection
