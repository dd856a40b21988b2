"""Rate limits and breakers on PostgreSQL do what all must."""

from __future__ import annotations

import asyncio
import threading

import psycopg
import pytest

from model_orchestrator.application.limits import Limits
from model_orchestrator.infrastructure.limits import postgres
from model_orchestrator.infrastructure.limits.postgres import PostgresBreakers, PostgresRateLimiter
from model_orchestrator.infrastructure.store import postgres_reader
from model_orchestrator.infrastructure.store.postgres_connection import Connection
from tests.contracts.breakers import BreakersContract, OpenBreakers, SharedBreakersContract
from tests.contracts.rate_limiter import OpenLimiter, RateLimiterContract, SharedRateLimiterContract


class TestPostgresRateLimiter(RateLimiterContract):
    @pytest.fixture
    def open_limiter(self, postgres_url: str) -> OpenLimiter:
        return lambda: PostgresRateLimiter(postgres_url)


class TestPostgresRateLimiterShared(SharedRateLimiterContract):
    @pytest.fixture
    def database_url(self, postgres_url: str) -> str:
        return postgres_url


class TestPostgresBreakers(BreakersContract, SharedBreakersContract):
    @pytest.fixture
    def open_breakers(self, postgres_url: str) -> OpenBreakers:
        return lambda rules: PostgresBreakers(postgres_url, rules=rules)


def test_a_host_that_stands_still_with_the_books_open_holds_up_nobody_for_long(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server takes its lock away; when the host wakes, it asks again."""
    monkeypatch.setattr(postgres_reader, "IDLE", 200)
    limits, asleep, wake = Limits(requests=10**9), threading.Event(), threading.Event()

    async def steps() -> None:
        frozen, other = PostgresRateLimiter(postgres_url), PostgresRateLimiter(postgres_url)
        try:
            assert await frozen.admit("m", limits) == 0
            now = postgres._now

            def stand_still(connection: Connection) -> object:
                if not asleep.is_set():
                    asleep.set()
                    wake.wait(60)
                return now(connection)

            monkeypatch.setattr(postgres, "_now", stand_still)
            held = asyncio.create_task(frozen.admit("m", limits))
            await asyncio.to_thread(asleep.wait, 60)
            async with asyncio.timeout(20):  # less than the time for which a lock is waited for
                assert await other.admit("m", limits) == 0
            wake.set()
            assert await held == 0
        finally:
            wake.set()
            await frozen.aclose()
            await other.aclose()

    asyncio.run(steps())
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT requests_total FROM views.rate_limits WHERE model = 'm'").fetchall() == [(3,)]


def test_the_server_notices_that_a_host_is_gone(postgres_url: str) -> None:
    """Within half a minute, where it would look after two hours; by a socket of the system there is nothing to set."""
    connections = postgres_reader.ReadConnections(postgres_url)
    try:
        asked = "SELECT name, setting FROM pg_settings WHERE name LIKE 'tcp_keepalives%' AND source = 'session'"
        assert len(connections.run(lambda one: one.execute(asked.encode()).fetchall())) == 3
    finally:
        connections.close()
