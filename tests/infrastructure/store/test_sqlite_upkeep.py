"""A SQLite file is rewritten, copied and brought back without losing what is written meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from model_orchestrator.application.ports import Content
from model_orchestrator.domain.errors import StoreUnavailable
from model_orchestrator.infrastructure.store import sqlite_connection
from model_orchestrator.infrastructure.store.sqlite import SqliteStore
from model_orchestrator.infrastructure.store.sqlite_upkeep import vacuum
from tests.contracts.appends import appended, assert_sound, on_stream

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
