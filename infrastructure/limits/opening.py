"""From a database URL to the rate limiter and the breakers that go with its store."""

from __future__ import annotations

from ...application.limits import Breakers, RateLimiter
from ..store.opening import sqlite_path
from ..store.sqlite_state import state_path


def open_rate_limiter(database_url: str) -> RateLimiter:
    """The rate limiter of all who use the database; of this process alone where it is in memory."""
    if not database_url.startswith("sqlite:"):
        from .postgres import PostgresRateLimiter

        return PostgresRateLimiter(database_url)
    path = sqlite_path(database_url)
    if path is None:
        from .memory import MemoryRateLimiter

        return MemoryRateLimiter()
    from .sqlite import SqliteRateLimiter

    return SqliteRateLimiter(state_path(path))


def has_breakers(database_url: str) -> bool:
    """Whether there may be breakers to read: a SQLite file exists; another database says so itself when asked."""
    path = sqlite_path(database_url) if database_url.startswith("sqlite:") else None
    return database_url.startswith("postgres") or (path is not None and state_path(path).exists())


def open_breakers(database_url: str) -> Breakers:
    """The breakers of all who use the database; of this process alone where it is in memory."""
    if not database_url.startswith("sqlite:"):
        from .postgres import PostgresBreakers

        return PostgresBreakers(database_url)
    path = sqlite_path(database_url)
    if path is None:
        from .memory import MemoryBreakers

        return MemoryBreakers()
    from .sqlite import SqliteBreakers

    return SqliteBreakers(state_path(path))
