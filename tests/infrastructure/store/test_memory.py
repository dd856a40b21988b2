"""The in-memory store under the contract suite."""

from __future__ import annotations

import pytest

from model_orchestrator.infrastructure.store.memory import MemoryStore
from model_orchestrator.infrastructure.store.sqlite_state import SqliteLeases
from tests.contracts.appends import OpenStore
from tests.contracts.event_store import EventStoreContract
from tests.contracts.event_store_balances import BalancesContract
from tests.contracts.event_store_erasure import ErasureContract
from tests.contracts.event_store_keys import KeysContract
from tests.contracts.lease_store import LeaseStoreContract, OpenLeases


class TestMemoryStore(EventStoreContract, BalancesContract, KeysContract, ErasureContract):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        return MemoryStore


class TestMemoryLeases(LeaseStoreContract):
    @pytest.fixture
    def open_leases(self) -> OpenLeases:
        return lambda: SqliteLeases(None)
