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
from tests.postgres import database_name


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


def test_a_role_that_owns_nothing_makes_and_rebuilds_its_read_models(postgres_url: str) -> None:
    fill(postgres_url)
    name = f"reader_{database_name(postgres_url)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN")
        connection.execute("SELECT log.grant_application(%s)", (name,))
    try:
        models = StoredReadModels(postgres_url.replace("postgres@", f"{name}@"))
        assert len(list(models.runs())) == 4
        models.rebuild()
        assert [one.calls for one in models.costs()] == [5, 1]
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {name}")
            connection.execute(f"DROP ROLE {name}")


def test_after_a_crash_of_the_server_the_emptied_tables_are_folded_anew(postgres_url: str) -> None:
    """An unlogged table comes back empty, and so does the registry."""
    fill(postgres_url)
    models = StoredReadModels(postgres_url)
    before = models.costs()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        unlogged = "SELECT relname FROM pg_class WHERE relnamespace = 'views'::regnamespace AND relkind = 'r' "
        for (table,) in connection.execute(unlogged + "AND relpersistence = 'u'").fetchall():
            connection.execute(f'TRUNCATE views."{table}"')
        kept = connection.execute(unlogged + "AND relpersistence <> 'u' AND relname ~ 'projections|_v1_'").fetchall()
    assert kept == []
    assert models.costs() == before
