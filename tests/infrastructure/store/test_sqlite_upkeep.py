"""A SQLite file is rewritten, copied and brought back without losing what is written meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from model_orchestrator.application.ports import Content
from model_orchestrator.domain.errors import InvalidRequest, StoreCorrupted, StoreError, StoreTooNew, StoreUnavailable
from model_orchestrator.infrastructure.migrations.revisions import REVISIONS
from model_orchestrator.infrastructure.store import sqlite_connection, sqlite_upkeep
from model_orchestrator.infrastructure.store.sqlite import SqliteStore
from model_orchestrator.infrastructure.store.sqlite_upkeep import backup, restore, vacuum
from tests.contracts.appends import appended, assert_sound, on_stream, whole_log

WORD = "aardvark"


async def write(store: SqliteStore, count: int = 20) -> None:
    for n in range(count):
        text = Content(ref=f"text-{n}", stream=f"run-{n}", subject=None, salt=b"", body=f"text {n}")
        await appended(store, on_stream(f"run-{n}", contents=[text]))


def left_behind(path: Path) -> None:
    """Bytes of a row that is not there any more, as a careless program and a split page leave them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as careless:
        careless.execute("PRAGMA secure_delete=OFF")
        careless.execute("INSERT INTO contents VALUES ('moved', NULL, x'', ?)", (WORD.encode() * 3,))
        careless.execute("DELETE FROM contents WHERE ref = 'moved'")
        careless.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert WORD.encode() in path.read_bytes()


def holding_the_word(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if WORD.encode() in file.read_bytes()]


def test_vacuum_leaves_no_bytes_of_what_was_deleted(tmp_path: Path) -> None:
    """While a store has the file open; what it wrote before and writes after is there."""
    path = tmp_path / "log.db"

    async def scenario() -> None:
        store = SqliteStore(path)
        await write(store)
        left_behind(path)
        vacuum(path)
        assert holding_the_word(tmp_path) == []
        await appended(store, on_stream("after"))
        assert len(await store.contents([f"text-{n}" for n in range(20)])) == 20
        await assert_sound(store)
        await store.aclose()

    asyncio.run(scenario())


def test_a_reader_that_does_not_let_go_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write-ahead log could not be emptied: it says so, and what to do."""
    monkeypatch.setattr(sqlite_connection, "BUSY_TIMEOUT", 0.05)
    path = tmp_path / "log.db"
    store = SqliteStore(path)
    asyncio.run(write(store))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        with pytest.raises(StoreUnavailable, match="another program reads the file: let it end"):
            vacuum(path)
    asyncio.run(store.aclose())


# ---- backup and restore ----


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed log of some events with texts."""

    async def written(path: Path) -> None:
        store = SqliteStore(path)
        await write(store)
        await store.content_secret()
        await store.aclose()

    asyncio.run(written(tmp_path / "log.db"))
    return tmp_path / "log.db"


def test_a_backup_made_while_others_write_is_a_sound_log(path: Path) -> None:
    """It holds whole appends, from the first on; and all that was durable when it began."""
    target = path.with_name("copy.db")

    async def scenario() -> None:
        store, done = SqliteStore(path), asyncio.Event()

        async def go_on() -> None:
            while not done.is_set():
                await asyncio.gather(*(appended(store, on_stream(f"busy-{n}")) for n in range(5)))

        writer = asyncio.create_task(go_on())
        before = await store.head()
        copied = await asyncio.to_thread(backup, path, target)
        done.set()
        await writer
        copy = SqliteStore(target)
        events = await whole_log(copy)
        assert before <= copied.events == len(events) <= await store.head()
        assert events == (await whole_log(store))[: len(events)]
        assert len(await copy.contents([f"text-{n}" for n in range(20)])) == 20
        await assert_sound(copy)
        await copy.aclose()
        await store.aclose()

    asyncio.run(scenario())


def test_a_backup_is_its_owners_alone_and_holds_nothing_deleted(path: Path) -> None:
    left_behind(path)
    target = path.with_name("copy.db")
    assert backup(path, target).size == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert holding_the_word(path.parent) == ["log.db"]


def test_a_backup_that_fails_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither half a copy under its name, nor its parts."""

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sqlite_upkeep, "_to_disk", full)
    with pytest.raises(StoreError, match="No space left"):
        backup(path, path.with_name("copy.db"))
    assert [file.name for file in path.parent.iterdir() if "copy" in file.name] == []


def test_what_is_there_is_never_written_over(path: Path) -> None:
    """A backup, a database, or the state of one."""
    target = path.with_name("copy.db")
    backup(path, target)
    before = target.read_bytes(), path.read_bytes()
    with pytest.raises(InvalidRequest, match="exists already"):
        backup(path, target)
    with pytest.raises(InvalidRequest, match="exists already"):
        restore(target, path)
    assert (target.read_bytes(), path.read_bytes()) == before
    other = path.with_name("other.db")
    state = path.with_name("other.state.db")
    state.touch()
    with pytest.raises(InvalidRequest, match=r"other\.state\.db exists already"):
        restore(target, other)
    assert not other.exists()


def test_a_restored_log_is_the_backed_up_one_and_goes_on(path: Path) -> None:
    target, restored = path.with_name("copy.db"), path.parent / "new" / "log.db"
    backup(path, target)
    assert restore(target, restored).events == 20

    async def scenario() -> None:
        old, new = SqliteStore(path), SqliteStore(restored)
        assert await whole_log(old) == await whole_log(new)
        assert await old.content_secret() == await new.content_secret()
        await appended(new, on_stream("run-0"))
        await assert_sound(new)
        await old.aclose()
        await new.aclose()

    asyncio.run(scenario())


def test_a_backup_of_an_older_release_is_upgraded(path: Path) -> None:
    """On its way into place; one of a newer release is refused."""
    with closing(sqlite3.connect(path, isolation_level=None)) as older:
        for table in ("content_keys", "datasets", "dataset_rows"):
            older.execute(f"DROP TABLE {table}")
        older.execute(f"UPDATE alembic_version SET version_num = '{REVISIONS[1]}'")
    target = path.with_name("copy.db")
    backup(path, target)
    restore(target, path.with_name("restored.db"))
    with closing(sqlite3.connect(path.with_name("restored.db"))) as restored:
        assert restored.execute("SELECT version_num FROM alembic_version").fetchone() == (REVISIONS[-1],)
    with closing(sqlite3.connect(target, isolation_level=None)) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999_later'")
    with pytest.raises(StoreTooNew):
        restore(target, path.with_name("again.db"))


@pytest.mark.parametrize("damage", ["text", "other", "page"])
def test_what_is_no_backup_is_not_restored(path: Path, damage: str) -> None:
    """Another file, another program's database, a damaged copy: said so, and nothing stands in its place."""
    target, place = path.with_name("copy.db"), path.with_name("restored.db")
    if damage == "text":
        target.write_text("not a database" * 100)
    elif damage == "other":
        with closing(sqlite3.connect(target)) as other:
            other.execute("CREATE TABLE cats (name TEXT)")
    else:
        backup(path, target)
        with target.open("r+b") as file:
            file.seek(4096 * 3)
            file.write(b"\xff" * 4096)
    with pytest.raises(StoreCorrupted):
        restore(target, place)
    assert [file.name for file in path.parent.iterdir() if "restored.db" in file.name] in ([], ["restored.db.lock"])
    with pytest.raises(InvalidRequest, match="there is no file"):
        restore(path.with_name("nowhere.db"), place)
