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
