"""URLs lead to their limiters and breakers."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_orchestrator.domain.errors import ConfigurationError
from model_orchestrator.infrastructure.limits.memory import MemoryBreakers, MemoryRateLimiter
from model_orchestrator.infrastructure.limits.opening import open_breakers, open_rate_limiter
from model_orchestrator.infrastructure.limits.postgres import PostgresBreakers, PostgresRateLimiter
from model_orchestrator.infrastructure.limits.sqlite import SqliteBreakers, SqliteRateLimiter


@pytest.mark.parametrize(
    ("url", "limiter", "breakers"),
    [
        ("sqlite:///:memory:", MemoryRateLimiter, MemoryBreakers),
        ("sqlite:///{}/log.db", SqliteRateLimiter, SqliteBreakers),
        ("postgresql://nobody@localhost/none", PostgresRateLimiter, PostgresBreakers),
    ],
)
def test_urls_lead_to_their_adapters(tmp_path: Path, url: str, limiter: type, breakers: type) -> None:
    """Nothing is opened or created before the first use."""
    url = url.format(tmp_path)
    assert type(open_rate_limiter(url)) is limiter
    assert type(open_breakers(url)) is breakers
    assert not list(tmp_path.glob("log*"))


def test_another_url_is_refused() -> None:
    for open_one in (open_rate_limiter, open_breakers):
        with pytest.raises(ConfigurationError):
            open_one("sqlite:nothing")
