"""A log while it is built, and its rows on their way into an empty database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg

from model_orchestrator.application.ports import Content
from model_orchestrator.infrastructure.store.append_rules import Head, Known, LogRow
from model_orchestrator.infrastructure.store.memory import MemoryLog
from model_orchestrator.infrastructure.store.opening import sqlite_path
from model_orchestrator.infrastructure.store.sqlite_connection import connect_writer


class GrowingLog(MemoryLog):
    """The log while it is built: what was copied is forgotten, but for what the rules ask of it."""

    __slots__ = ("rows", "used", "versions")

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[LogRow] = []
        self.versions: dict[str, int] = {}
        self.used: set[tuple[str, str]] = set()

    def known(self, event_ids: Sequence[bytes]) -> dict[bytes, Known]:
        return {}  # every id is new: they are drawn here

    def version(self, stream: str) -> int:
        return self.versions.get(stream, 0)

    def add_events(self, rows: Sequence[LogRow]) -> None:
        self.rows.extend(rows)
        for _, stream, version, *_ in rows:
            self.versions[stream] = version
        self.head = Head(rows[-1][0], self.recorded_at, rows[-1][-1])

    def add_contents(self, contents: Sequence[Content]) -> None:
        super().add_contents(contents)
        self.used.update((one.ref, one.stream) for one in contents)


class _SqliteCopy:
    """Rows into a SQLite file."""

    def __init__(self, path: Path) -> None:
        self._connection = connect_writer(path)
        self._connection.execute("PRAGMA synchronous=OFF")  # nobody misses a test's log after a power cut
        self._connection.execute("BEGIN IMMEDIATE")

    def insert(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            self._connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)

    def head(self, head: Head) -> None:
        self._connection.execute("UPDATE log_head SET position = ?, recorded_at = ?, chain_hash = ?", head)

    def close(self) -> None:
        self._connection.execute("COMMIT")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.execute("ANALYZE")
        self._connection.close()


class _PostgresCopy:
    """Rows into a PostgreSQL database, as its owner."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url)

    def insert(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._connection.cursor().copy(f"COPY log.{table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def head(self, head: Head) -> None:
        update = "UPDATE log.log_head SET position = %s, recorded_at = %s, chain_hash = %s"
        self._connection.execute(update, head)

    def close(self) -> None:
        self._connection.commit()
        self._connection.autocommit = True
        self._connection.execute("ANALYZE")
        self._connection.close()


class LogCopy:
    """The built log's rows on their way into an empty database."""

    def __init__(self, rows: _SqliteCopy | _PostgresCopy) -> None:
        self._rows = rows

    @classmethod
    def to(cls, url: str) -> LogCopy:
        path = None if url.startswith("postgres") else sqlite_path(url)
        return cls(_PostgresCopy(url) if path is None else _SqliteCopy(path))

    def events(self, log: GrowingLog) -> None:
        self._rows.insert("events", log.rows)
        log.rows.clear()

    def finish(self, log: GrowingLog) -> None:
        self.events(log)
        rows = self._rows
        rows.insert("contents", [(c.ref, c.subject, c.salt, c.body.encode()) for c in log.contents.values()])
        rows.insert("content_uses", sorted(log.used))
        rows.insert("budgets", [(*budget, limit) for budget, limit in sorted(log.limits.items())])
        rows.insert("balances", [(*account, *funds) for account, funds in sorted(log.balances.items())])
        rows.head(log.head)
        rows.close()
