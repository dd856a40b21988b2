"""Read models beside a log file."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from model_orchestrator.domain.errors import StoreCorrupted
from model_orchestrator.domain.units import Duration
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels
from model_orchestrator.infrastructure.store.sqlite_state import SqliteLeases, state_path
from tests.contracts.read_models import ReadModelsContract, fill


class TestReadModelsOnSqlite(ReadModelsContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'log.db'}"

    def delete_state(self, url: str) -> None:
        path = Path(url.removeprefix("sqlite:///"))
        for file in path.parent.glob(f"{path.stem}.state.db*"):
            file.unlink()


def test_a_state_file_that_leases_made_first_is_as_good(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    url = f"sqlite:///{log}"
    fill(url)

    async def lease() -> None:
        leases = SqliteLeases(state_path(log))
        await leases.acquire("run-1", worker="w", epoch=1, ttl=Duration(1))
        await leases.aclose()

    asyncio.run(lease())
    assert [one.state for one in StoredReadModels(url).status()] == ["none", "none"]
    assert len(list(StoredReadModels(url).runs())) == 4


def test_a_damaged_state_file_says_what_to_do(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    fill(url)
    (tmp_path / "log.state.db").write_bytes(b"not a database, by no means" * 100)
    with pytest.raises(StoreCorrupted, match="delete it"):
        StoredReadModels(url).costs()


def test_a_rebuild_makes_every_index_that_the_live_tables_had(tmp_path: Path) -> None:
    """Those that only questions need come at its end."""
    url = f"sqlite:///{tmp_path / 'log.db'}"
    fill(url)
    models = StoredReadModels(url)
    models.catch_up()
    live = indexes(tmp_path / "log.state.db")
    models.rebuild()
    assert indexes(tmp_path / "log.state.db") == live
    assert any("(owner, run_at, run)" in index for index in live)
    models.rebuild()
    assert indexes(tmp_path / "log.state.db") == live


def indexes(state: Path) -> list[str]:
    """What makes the indexes, whatever their generation."""
    with closing(sqlite3.connect(state)) as file:
        rows = file.execute("SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    return sorted(re.sub(r"_v\d+_\d+", "", sql) for (sql,) in rows)
