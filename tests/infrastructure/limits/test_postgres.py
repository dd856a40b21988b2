"""Rate limits and breakers on PostgreSQL do what all must."""

from __future__ import annotations

import pytest

from model_orchestrator.infrastructure.limits.postgres import PostgresBreakers, PostgresRateLimiter
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
