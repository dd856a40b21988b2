"""Opening a SQLite file: made, upgraded, refused; and what is said when it cannot be used."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.errors import ConfigurationError, StoreCorrupted, StoreTooNew, StoreUnavailable
from model_orchestrator.infrastructure.migrations.revisions import NEWEST, REVISIONS
from model_orchestrator.infrastructure.store import sqlite_connection, sqlite_schema
from model_orchestrator.infrastructure.store.file_lock import FileLock
from model_orchestrator.infrastructure.store.memory import MemoryStore
from model_orchestrator.infrastructure.store.opening import open_leases, open_store
from model_orchestrator.infrastructure.store.sqlite import SqliteStore
from model_orchestrator.infrastructure.store.sqlite_state import SqliteLeases
from tests.contracts.appends import appended, on_stream
from tests.contracts.lease_store import taken


def write_one(path: Path) -> None:
    async def written() -> None:
        store = SqliteStore(path)
        await appended(store, on_stream("a"))
        await store.aclose()

    asyncio.run(written())


def statements(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SQL that opening a store runs."""
    seen: list[str] = []

    def connect(*args: object, **kwargs: object) -> sqlite3.Connection:
        connection = original(*args, **kwargs)  # type: ignore[arg-type]
        connection.set_trace_callback(seen.append)
        return connection

    original = sqlite_connection._connect
    monkeypatch.setattr(sqlite_connection, "_connect", connect)
    asyncio.run(SqliteStore(path).aclose())
    return seen


def test_a_file_that_is_up_to_date_costs_one_select(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_one(tmp_path / "log.db")
    assert statements(tmp_path / "log.db", monkeypatch) == ["SELECT version_num FROM alembic_version"]


def test_a_new_file_is_stamped_private_and_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "log.db"
    write_one(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(NEWEST,)]
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_opening_twice_at_once_makes_one_schema(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.touch()  # both looked and found nothing
    lock = FileLock(tmp_path / "log.db.lock")
    sqlite_schema.bring_up_to_date(path, lock)
    connection = sqlite_connection.connect_writer(path)
    with lock:
        sqlite_schema._upgrade(connection, path)
    connection.close()
    lock.close()
    write_one(path)


@pytest.mark.parametrize("broken", REVISIONS)
def test_a_failed_revision_leaves_the_file_at_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path = tmp_path / "log.db"
    whole = sqlite_schema.revision_sql
    twice = "CREATE TABLE half (x); CREATE TABLE half (x);"
    monkeypatch.setattr(sqlite_schema, "revision_sql", lambda name: whole(name) + (twice if name == broken else ""))
    with pytest.raises(StoreUnavailable, match="already exists"):
        SqliteStore(path)
    connection = sqlite3.connect(path)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert "half" not in tables
    before = REVISIONS[: REVISIONS.index(broken)][-1:]
    stamped = connection.execute("SELECT version_num FROM alembic_version").fetchall() if tables else []
    assert stamped == [(name,) for name in before]
    connection.close()
    monkeypatch.undo()
    write_one(path)


def test_a_database_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    write_one(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999_later'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreTooNew, match=r"9999_later.*upgrade model-orchestrator"):
        SqliteStore(path)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreCorrupted, match="another program"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear reader, " * 400)
    with pytest.raises(StoreCorrupted, match="not a SQLite database"):
        SqliteStore(path)
    assert path.read_text() == "Dear reader, " * 400


def test_a_corrupted_file_is_said_to_be_corrupted(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    write_one(path)
    damaged = bytearray(path.read_bytes())
    damaged[100:] = b"\xff" * (len(damaged) - 100)
    path.write_bytes(damaged)
    with pytest.raises(StoreCorrupted, match="restore a backup"):
        SqliteStore(path)


def test_a_page_damaged_later_is_said_to_be_corrupted_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    write_one(path)
    connection = sqlite3.connect(path)
    (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events'").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)

    async def used() -> None:
        store = SqliteStore(path)
        with pytest.raises(StoreCorrupted):
            await store.read_stream("a")
        with pytest.raises(StoreCorrupted):
            await store.append(on_stream("a"))
        assert await store.head() == 1
        await store.aclose()

    asyncio.run(used())


def test_a_path_that_cannot_be_used_is_named_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "log.db"):
        with pytest.raises(StoreUnavailable, match=str(path)):
            SqliteStore(path)


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_missing_permission_is_named(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    path = folder / "log.db"
    if what == "file":
        path.touch()
        os.chmod(path, 0)
    else:
        os.chmod(folder, 0o500)
    with pytest.raises(StoreUnavailable, match=f"{path}.*(permissions|can be written)"):
        _as_nobody(path)
    os.chmod(folder, 0o700)


def _as_nobody(path: Path) -> None:
    """Open the store without the privileges of root, in this thread's process, where it has them."""
    if os.geteuid() != 0:
        SqliteStore(path)
        return
    for parent in (path.parent, *path.parents[1:4]):
        os.chmod(parent, parent.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        SqliteStore(path)
    finally:
        os.seteuid(0)


def test_a_file_system_that_cannot_promise_durability_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_connection, "FULL", 3)  # as if SQLite had answered another level
    with pytest.raises(StoreUnavailable, match="synchronous 2"):
        SqliteStore(tmp_path / "log.db")


def test_urls_lead_to_their_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    relative = open_store("sqlite:///sub/log.db")
    absolute = open_store(f"sqlite:///{tmp_path}/log.db")
    memory = open_store("sqlite:///:memory:")
    assert isinstance(relative, SqliteStore)
    assert isinstance(memory, MemoryStore)
    for store in (relative, absolute, memory):
        asyncio.run(store.aclose())
    assert (tmp_path / "sub" / "log.db").exists()
    assert (tmp_path / "log.db").exists()
    assert isinstance(open_leases("sqlite:///log.db"), SqliteLeases)
    assert not (tmp_path / "log.state.db").exists()  # made on first use


@pytest.mark.parametrize("url", ["", "log.db", "sqlite://log.db", "sqlite:///", "mysql://x/y", "SQLITE:///x"])
def test_other_urls_are_refused_with_the_forms_that_are_not(url: str) -> None:
    for opening in (open_store, open_leases):
        with pytest.raises(ConfigurationError, match="sqlite:///relative/path"):
            opening(url)


def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_store("mysql://me:hunter2@host/database")
    assert "hunter2" not in str(refused.value)


def test_deleting_the_state_file_loses_nothing(tmp_path: Path) -> None:
    write_one(tmp_path / "log.db")

    def delete_state() -> None:
        for file in tmp_path.glob("log.state.db*"):
            file.unlink()

    async def used() -> None:
        leases = open_leases(f"sqlite:///{tmp_path}/log.db")
        assert isinstance(leases, SqliteLeases)
        await taken(leases, "w1")
        await leases.aclose()
        delete_state()
        await taken(leases, "w2")
        await leases.aclose()

    asyncio.run(used())
    write_one(tmp_path / "log.db")


def test_a_damaged_state_file_may_be_deleted(tmp_path: Path) -> None:
    (tmp_path / "log.state.db").write_text("no database " * 100)
    with pytest.raises(StoreCorrupted, match="delete it; nothing is lost"):
        asyncio.run(SqliteLeases(tmp_path / "log.state.db").holder("run-1"))


def test_a_database_that_somebody_makes_while_it_is_looked_at_is_no_other_programs(tmp_path: Path) -> None:
    """Two threads, or two processes, open a new one at once."""
    path = tmp_path / "log.db"

    class Beaten(sqlite3.Connection):
        """Finds nothing; then another has made the database."""

        looks = 0

        def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
            self.looks += 1
            if self.looks == 1:
                sqlite_schema.bring_up_to_date(path, FileLock(tmp_path / "lock"))
                raise sqlite3.OperationalError("no such table: alembic_version")
            return super().execute(sql, *more)

    with closing(sqlite3.connect(path, factory=Beaten)) as connection:
        assert sqlite_schema.schema_revision(connection, path) == NEWEST
