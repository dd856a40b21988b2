"""Connections to PostgreSQL: opened with what the store needs of a session, and their failures in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import conninfo

from ...domain.errors import ConfigurationError, StoreCorrupted, StoreError, StoreTooNew, StoreUnavailable
from ..database_url import masked
from ..event_levels import newest
from ..migrations.revisions import NEWEST, REVISIONS

OLDEST_SERVER = 15
UPGRADE = "run: model-orchestrator db upgrade"
APPLICATION = "model-orchestrator"  # and a slash, and the newest level of events that the release reads
Connection = psycopg.Connection[tuple[Any, ...]]

# What a connection does where the address does not say: notice within half a minute that its server is gone.
_DEFAULTS = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}
LOCK_TIMEOUT = 30_000  # milliseconds; whoever cannot have the log's head for so long is told so
# A commit that returns before its log is on disk is none. Where a host is gone, the server too is to notice within half
# a minute, and give back what its sessions held; by itself it would look after two hours.
_SETTINGS = """SELECT set_config('synchronous_commit', %s, false), set_config('lock_timeout', %s, false),
set_config('idle_in_transaction_session_timeout', %s, false), set_config('tcp_keepalives_idle', '10', false),
set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '4', false)"""
_SCHEMA_MISSING = ("3F000", "42P01", "42883")  # schema, table, function
_CORRUPTED = ("XX001", "XX002")  # data, index
_COMING_BACK = (None, "57P01", "57P02", "57P03", "53300")  # no answer, shut down, crashed, starting, all seats taken


class Unreachable(StoreUnavailable):
    """The server does not answer now and may soon; nothing was written."""


def connect(url: str, *, idle: int = 0, durable: bool = True) -> Connection:
    """A connection in autocommit mode whose commits are durable. Raises StoreUnavailable, ConfigurationError.

    `idle` are the milliseconds for which it may leave a transaction standing; 0: any. One that is not durable returns
    from a commit before its log is on disk: for what is disposable.
    """
    parameters = _parameters(url)
    with translated(url):
        connection = psycopg.connect(**{**_defaults(), **parameters}, autocommit=True, prepare_threshold=None)
        try:
            _check_session(url, connection, idle, "on" if durable else "off")
        except BaseException:
            connection.close()
            raise
    return connection


def check_schema(url: str, connection: Connection) -> None:
    """Raises StoreUnavailable where the database needs `db upgrade`, StoreTooNew where this release does."""
    revision = schema_revision(connection)
    if revision is None:
        raise StoreUnavailable(f"{masked(url)} has no event log yet; {UPGRADE}")
    if revision not in REVISIONS:
        if NEWEST in _older_that_work(connection):
            return
        raise StoreTooNew(
            f"{masked(url)} has schema {revision}, this release knows up to {NEWEST}: install a newer release"
        )
    if revision != NEWEST:
        raise StoreUnavailable(f"{masked(url)} has schema {revision}, this release needs {NEWEST}; {UPGRADE}")


def schema_revision(connection: Connection) -> str | None:
    """The schema's revision; None where there is none."""
    if connection.execute("SELECT to_regclass('log.alembic_version')").fetchall() == [(None,)]:
        return None
    rows = connection.execute("SELECT version_num FROM log.alembic_version").fetchall()
    return str(rows[0][0]) if rows else None


def _older_that_work(connection: Connection) -> list[str]:
    """Schemas whose releases go on working with this newer one, as its upgrade said."""
    rows = connection.execute("SELECT value FROM log.meta WHERE key = 'works_with'").fetchall()
    return bytes(rows[0][0]).decode().split(",") if rows else []


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turns psycopg's errors into StoreUnavailable; their values and details stay out."""
    try:
        yield
    except psycopg.Error as error:
        raise unavailable(url, error) from None


def unavailable(url: str, error: psycopg.Error) -> StoreError:
    """What the database said, in one line, with what to do."""
    if error.sqlstate in _SCHEMA_MISSING:
        return StoreUnavailable(f"{masked(url)} has no event log of this release; {UPGRADE}")
    if error.sqlstate in _CORRUPTED:
        return StoreCorrupted(f"{masked(url)}: {_said(error)}")
    gone = isinstance(error, psycopg.OperationalError) and error.sqlstate in _COMING_BACK
    kind = Unreachable if gone else StoreUnavailable
    return kind(f"{masked(url)}: {_said(error)}")


def _defaults() -> dict[str, str]:
    return {"application_name": f"{APPLICATION}/{newest()}", **_DEFAULTS}


def _said(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error).strip() or type(error).__name__
    return " ".join(text.split())


def _parameters(url: str) -> dict[str, Any]:
    try:
        return conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # its text may quote the password
        raise ConfigurationError(
            "the database address is not one of PostgreSQL: postgresql://USER:PASSWORD@HOST:PORT/NAME was expected"
        ) from None


def _check_session(url: str, connection: Connection, idle: int, commits: str) -> None:
    if connection.info.server_version < OLDEST_SERVER * 10_000:
        version = connection.info.server_version // 10_000
        raise StoreUnavailable(f"{masked(url)} is PostgreSQL {version}: version {OLDEST_SERVER} or later is needed")
    (row,) = connection.execute(_SETTINGS, (commits, str(LOCK_TIMEOUT), str(idle))).fetchall()
    if row[0] != commits:
        raise StoreUnavailable(f"{masked(url)} does not accept synchronous_commit={commits}")
