"""PostgresStore and PostgresLeases do what every store must."""

from __future__ import annotations

import pytest

from model_orchestrator.infrastructure.store.postgres import PostgresStore
from model_orchestrator.infrastructure.store.postgres_leases import PostgresLeases
from tests.contracts.appends import OpenStore
from tests.contracts.event_store import EventStoreContract
from tests.contracts.event_store_balances import BalancesContract
from tests.contracts.event_store_erasure import ErasureContract, SharedErasureContract
from tests.contracts.event_store_keys import KeysContract, SharedKeysContract
from tests.contracts.event_store_shared import SharedEventStoreContract
from tests.contracts.lease_store import LeaseStoreContract, OpenLeases


class TestPostgresStore(EventStoreContract):
    @pytest.fixture
    def open_store(self, postgres_url: str) -> OpenStore:
        return lambda: PostgresStore(postgres_url)


class TestPostgresBalances(BalancesContract):
    @pytest.fixture
    def open_store(self, postgres_url: str) -> OpenStore:
        return lambda: PostgresStore(postgres_url)


class TestPostgresKeys(KeysContract, ErasureContract):
    @pytest.fixture
    def open_store(self, postgres_url: str) -> OpenStore:
        return lambda: PostgresStore(postgres_url)


class TestPostgresShared(SharedEventStoreContract, SharedKeysContract, SharedErasureContract):
    @pytest.fixture
    def database_url(self, postgres_url: str) -> str:
        return postgres_url


class TestPostgresLeases(LeaseStoreContract):
    @pytest.fixture
    def open_leases(self, postgres_url: str) -> OpenLeases:
        return lambda: PostgresLeases(postgres_url)
