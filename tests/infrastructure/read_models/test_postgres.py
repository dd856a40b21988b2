"""Read models in the schema `views`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from model_orchestrator.infrastructure.read_models.stored import StoredReadModels
from model_orchestrator.infrastructure.store.migrating import alembic_config
from tests.contracts.read_models import ReadModelsContract, fill


class TestReadModelsOnPostgres(ReadModelsContract):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    def delete_state(self, url: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for (name,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'views' AND tablename ~ '_v[0-9]+_[0-9]+$'"
            ).fetchall():
                connection.execute(f'DROP TABLE views."{name}"')
            connection.execute("DROP TABLE views.projections")

    def while_reading(self, swap: Callable[[], None], read: Callable[[], list[Any]]) -> None:
        """The swap waits for the reader."""
        thread = threading.Thread(target=swap)
        thread.start()
        assert len(read()) == 4
        thread.join(60)
        assert not thread.is_alive()


def test_migrations_leave_the_tables_alone(postgres_url: str) -> None:
    """`alembic check` finds nothing to do in a database that has read models."""
    from alembic import command

    fill(postgres_url)
    StoredReadModels(postgres_url).catch_up()
    command.check(alembic_config(postgres_url))
