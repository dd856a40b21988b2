"""Runs a revision's .sql file inside the migration's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files

from sqlalchemy import Connection


def execute_file(bind: Connection, revision: str) -> None:
    """Execute versions/REVISION.DIALECT.sql."""
    name = f"{revision}.{bind.dialect.name}.sql"
    script = files(__package__).joinpath("versions", name).read_text("utf-8")
    cursor = bind.connection.cursor()
    try:
        # One by one on SQLite: its executescript would commit first. PostgreSQL takes the whole file as one message.
        for statement in _statements(script) if bind.dialect.name == "sqlite" else (script,):
            cursor.execute(statement)
    finally:
        cursor.close()


def _statements(script: str) -> Iterator[str]:
    """The statements of a SQLite script; a trigger's body stays whole."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
