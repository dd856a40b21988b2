"""A database under test of either kind, read and changed behind the program's back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest


class Database:
    """Its address, and SQL as PostgreSQL has it: tables are `log.NAME`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_file = url.startswith("sqlite:")

    def rows(self, query: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Run a statement; its rows. Places are `%s`."""
        if self.is_file:
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)) as file:
                return file.execute(query.replace("log.", "").replace("%s", "?"), parameters).fetchall()
        with psycopg.connect(self.url, autocommit=True) as server:
            done = server.execute(query.encode(), parameters or None)
            return done.fetchall() if done.description else []

    def count(self, table: str, where: str = "true") -> int:
        return int(self.rows(f"SELECT count(*) FROM log.{table} WHERE {where}")[0][0])

    def unlock(self) -> None:
        """Take away what keeps events from being changed."""
        if not self.is_file:
            self.rows("ALTER TABLE log.events DISABLE TRIGGER ALL")
            self.rows("GRANT ALL ON log.events TO CURRENT_USER")
            return
        for (name,) in self.rows("SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
            self.rows(f"DROP TRIGGER {name}")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """One of each kind, which the command line uses with the simulated provider; the working folder is the test's."""
    monkeypatch.chdir(tmp_path)
    url = "sqlite:///runs.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", url)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_PROVIDER", "simulated")
    return Database(url)
