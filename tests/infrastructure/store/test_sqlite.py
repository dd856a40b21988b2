"""The SQLite store under the contract suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_orchestrator.infrastructure.store.sqlite import SqliteStore
from model_orchestrator.infrastructure.store.sqlite_state import SqliteLeases
from tests.contracts.appends import OpenStore
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


class TestSqliteStoreBetweenProcesses(SharedEventStoreContract, SharedKeysContract, SharedErasureContract):
    @pytest.fixture
    def database_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'log.db'}"


class TestSqliteLeases(LeaseStoreContract):
    @pytest.fixture
    def open_leases(self, tmp_path: Path) -> OpenLeases:
        return lambda: SqliteLeases(tmp_path / "log.state.db")
