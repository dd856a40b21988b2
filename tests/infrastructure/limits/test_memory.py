"""Rate limits and breakers in memory do what all must."""

from __future__ import annotations

import pytest

from model_orchestrator.infrastructure.limits.memory import MemoryBreakers, MemoryRateLimiter
from tests.contracts.breakers import BreakersContract, OpenBreakers
from tests.contracts.rate_limiter import OpenLimiter, RateLimiterContract


class TestMemoryRateLimiter(RateLimiterContract):
    @pytest.fixture
    def open_limiter(self) -> OpenLimiter:
        return MemoryRateLimiter


class TestMemoryBreakers(BreakersContract):
    @pytest.fixture
    def open_breakers(self) -> OpenBreakers:
        return lambda rules: MemoryBreakers(rules=rules)
