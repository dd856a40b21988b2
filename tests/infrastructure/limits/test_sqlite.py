"""Rate limits and breakers in the state file do what all must, beside leases, across forks and after its deletion."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from model_orchestrator.application.limits import Limits
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.units import Duration
from model_orchestrator.infrastructure.limits.sqlite import SqliteBreakers, SqliteRateLimiter
from model_orchestrator.infrastructure.store.sqlite_state import SqliteLeases
from tests.contracts.breakers import BreakersContract, OpenBreakers, SharedBreakersContract
from tests.contracts.rate_limiter import (
    OpenLimiter,
    RateLimiterContract,
    SharedRateLimiterContract,
    by_request,
    fullest_window,
)

NAME = "log.state.db"


class TestSqliteRateLimiter(RateLimiterContract):
    @pytest.fixture
    def open_limiter(self, tmp_path: Path) -> OpenLimiter:
        return lambda: SqliteRateLimiter(tmp_path / NAME)


class TestSqliteRateLimiterShared(SharedRateLimiterContract):
    @pytest.fixture
    def database_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'log.db'}"


class TestSqliteBreakers(BreakersContract, SharedBreakersContract):
    @pytest.fixture
    def open_breakers(self, tmp_path: Path) -> OpenBreakers:
        return lambda rules: SqliteBreakers(tmp_path / NAME, rules=rules)


def test_leases_limits_and_breakers_share_one_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        leases, limiter = SqliteLeases(tmp_path / NAME), SqliteRateLimiter(tmp_path / NAME)
        breakers = SqliteBreakers(tmp_path / NAME)
        await asyncio.gather(
            leases.acquire("run-1", worker="w", epoch=1, ttl=Duration(10**9)),
            limiter.reserve("m", Limits(requests=1), tokens=0),
            breakers.record("m", ErrorKind.AUTH),
        )
        assert await leases.holder("run-1") is not None
        assert await limiter.expected_wait("m", Limits(requests=1), tokens=0) > 59
        assert not (await breakers.states(["m"]))["m"].allows
        for one in (leases, limiter, breakers):
            await one.aclose()

    asyncio.run(scenario())


def test_deleting_the_file_costs_one_call_at_most(tmp_path: Path) -> None:
    """The burst is earned anew: a window across the deletion holds the limit and one call more."""

    async def scenario() -> None:
        limits = Limits(requests=40, window=0.4)
        grants = []
        for _ in range(2):
            limiter = SqliteRateLimiter(tmp_path / NAME)
            await asyncio.sleep(0.05)  # the first time, for nothing; then the burst would be full
            for _ in range(8):
                grants.append(await limiter.reserve("m", limits, tokens=0))
                await asyncio.sleep(grants[-1].wait)
            await limiter.aclose()
            (tmp_path / NAME).unlink()
        assert grants[8].wait == 0
        assert grants[9].granted_at - grants[8].granted_at >= 400_000 // 37
        assert fullest_window(by_request(grants), 0.4) <= 41

    asyncio.run(scenario())


def open_files(folder: Path) -> list[str]:
    """The process's open files below the folder (Linux; elsewhere none are seen)."""
    links = [entry for entry in Path("/proc/self/fd").glob("*") if entry.is_symlink()]
    return [name for name in map(os.readlink, links) if name.startswith(str(folder))]


def test_a_child_goes_on_where_its_parent_stood(tmp_path: Path) -> None:
    """With a connection and a lock of its own: none crosses the fork."""
    limiter = SqliteRateLimiter(tmp_path / NAME)
    limits = Limits(requests=2)
    asyncio.run(limiter.reserve("m", limits, tokens=0))
    if (child := os.fork()) == 0:
        signal.alarm(20)  # a child that hangs ends too
        status = 1
        try:
            assert open_files(tmp_path) == []
            assert asyncio.run(limiter.reserve("m", limits, tokens=0)).wait > 20
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asyncio.run(limiter.reserve("m", limits, tokens=0)).wait > 50
    asyncio.run(limiter.aclose())
