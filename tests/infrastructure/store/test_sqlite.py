"""The SQLite store under the contract suite."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.infrastructure.store.sqlite import SqliteStore
from model_orchestrator.infrastructure.store.sqlite_reader import SqliteReader
from model_orchestrator.infrastructure.store.sqlite_state import SqliteLeases
from tests.contracts.appends import OpenStore, on_stream
from tests.contracts.event_store import EventStoreContract
from tests.contracts.event_store_balances import BalancesContract
from tests.contracts.event_store_erasure import ErasureContract, SharedErasureContract
from tests.contracts.event_store_keys import KeysContract, SharedKeysContract
from tests.contracts.event_store_shared import SharedEventStoreContract
from tests.contracts.lease_store import LeaseStoreContract, OpenLeases


class TestSqliteStore(EventStoreContract, BalancesContract, KeysContract, ErasureContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        return lambda: SqliteStore(tmp_path / "log.db")


def test_a_family_is_found_by_the_index_of_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the log is: SQLite is asked how it would read what the store asks."""
    store = SqliteStore(tmp_path / "log.db")
    asked: list[tuple[str, Sequence[object]]] = []
    rows = SqliteReader._rows

    def watched(reader: SqliteReader, query: str, parameters: Sequence[object] = ()) -> list[Any]:
        asked.append((query, parameters))
        return rows(reader, query, parameters)

    monkeypatch.setattr(SqliteReader, "_rows", watched)

    async def read() -> None:
        await store.append(on_stream("key-web"))
        assert len(await store.read_family("key-")) == 1
        await store.aclose()

    asyncio.run(read())
    with closing(sqlite3.connect(tmp_path / "log.db")) as file:
        ((query, parameters),) = asked
        (step,) = file.execute(f"EXPLAIN QUERY PLAN {query}", tuple(parameters)).fetchall()
    assert "SEARCH events USING INDEX" in step[3]
    assert "(stream>? AND stream<?)" in step[3]


class TestSqliteStoreBetweenProcesses(SharedEventStoreContract, SharedKeysContract, SharedErasureContract):
    @pytest.fixture
    def database_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'log.db'}"


class TestSqliteLeases(LeaseStoreContract):
    @pytest.fixture
    def open_leases(self, tmp_path: Path) -> OpenLeases:
        return lambda: SqliteLeases(tmp_path / "log.state.db")
