"""From a database URL to its stores; the drivers of other databases are not even imported."""

from __future__ import annotations

from pathlib import Path

from ...application.ports import EventStore, LeaseStore
from ...domain.errors import ConfigurationError
from ..content_cipher import OuterKeys
from ..database_url import MEMORY, SQLITE, masked
from .memory import MemoryStore
from .sqlite import SqliteStore
from .sqlite_state import SqliteLeases, state_path

_POSTGRESQL = ("postgresql://", "postgres://")
FORMS = "sqlite:///relative/path, sqlite:////absolute/path, sqlite:///:memory: or postgresql://user@host/database"


def open_store(database_url: str, *, content_keys: OuterKeys | None = None) -> EventStore:
    """The event store at the URL; a file is created or upgraded first. Raises ConfigurationError, StoreError.

    With keys, texts are encrypted before they are stored; in memory they are not.
    """
    if database_url.startswith(_POSTGRESQL):
        from .postgres import PostgresStore

        return PostgresStore(database_url, content_keys=content_keys)
    path = sqlite_path(database_url)
    return MemoryStore() if path is None else SqliteStore(path, content_keys=content_keys)


def sqlite_file(database_url: str) -> Path | None:
    """The file of a SQLite database; None for a server, and for :memory:."""
    return None if database_url.startswith(_POSTGRESQL) else sqlite_path(database_url)


def is_there(database_url: str) -> bool:
    """Whether there is something to read: a SQLite file exists; another database says so itself when it is asked."""
    path = sqlite_file(database_url)
    return path is None or path.exists()


def open_leases(database_url: str) -> LeaseStore:
    """The leases that go with the store at the URL. Raises ConfigurationError."""
    if database_url.startswith(_POSTGRESQL):
        from .postgres_leases import PostgresLeases

        return PostgresLeases(database_url)
    path = sqlite_path(database_url)
    return SqliteLeases(None if path is None else state_path(path))


def sqlite_path(database_url: str) -> Path | None:
    """The file a sqlite:/// URL names; None for :memory:. Raises ConfigurationError for any other URL."""
    if database_url == MEMORY:
        return None
    name = database_url.removeprefix(SQLITE)
    if name == database_url or not name:
        raise ConfigurationError(f"database URL {masked(database_url)!r}: expected {FORMS}")
    return Path(name).expanduser()
