"""Whatever is changed in a log behind its back is found."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_orchestrator.infrastructure.store.sqlite import SqliteStore
from model_orchestrator.infrastructure.store.sqlite_transaction import COLUMNS
from model_orchestrator.infrastructure.store.verify import verify_log
from tests.contracts.appends import appended, new_event, on_stream

NAMES = COLUMNS.split(", ")
EVENTS = 4
ADDED = f"INSERT INTO events SELECT {COLUMNS} FROM events WHERE position = ?".replace(
    "SELECT position, stream, version, event_id", "SELECT position + 1, stream, version + 2, randomblob(16)"
)
Edit = tuple[str, tuple[object, ...]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of a few events whose triggers somebody has dropped."""
    path = tmp_path / "log.db"

    async def write() -> None:
        store = SqliteStore(path)
        for n in range(EVENTS):
            await appended(store, on_stream(f"run-{n % 2}", new_event(f'{{"text":"é","n":{n}}}')))
        await store.aclose()

    asyncio.run(write())
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("UPDATE events SET causation_id = NULL WHERE position = 1")
    connection.commit()
    connection.close()
    return path


def flips(column: str, value: object) -> Iterator[Edit]:
    """One bit of each byte of a value turned, low and high; as the SQL of the new value."""
    match value:
        case int():
            stored = value.to_bytes(8, "big", signed=True)
        case bytes():
            stored = value
        case str():
            stored = value.encode()
        case None:
            yield f"UPDATE events SET {column} = '' WHERE position = ?", ()
            return
    for at in range(len(stored)):
        for bit in (0x01, 0x80):
            changed = bytearray(stored)
            changed[at] ^= bit
            if isinstance(value, int):
                yield (
                    f"UPDATE events SET {column} = ? WHERE position = ?",
                    (int.from_bytes(changed, "big", signed=True),),
                )
            else:
                cast = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
                yield f"UPDATE events SET {column} = {cast} WHERE position = ?", (bytes(changed),)


def problems_after(path: Path, edits: list[tuple[str, tuple[object, ...]]]) -> Iterator[tuple[Edit, list[str]]]:
    """What verification says after each edit alone; an edit the schema refuses is passed over."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    rows = connection.execute(f"SELECT {COLUMNS} FROM events").fetchall()
    store = SqliteStore(path)
    with asyncio.Runner() as runner:
        assert runner.run(verify_log(store)) == []
        for edit in edits:
            try:
                connection.execute(*edit)
            except sqlite3.IntegrityError:
                continue
            yield edit, runner.run(verify_log(store))
            connection.execute("BEGIN")
            connection.execute("DELETE FROM events")
            connection.executemany(f"INSERT INTO events VALUES ({', '.join('?' * len(NAMES))})", rows)
            connection.execute("COMMIT")
        runner.run(store.aclose())
    connection.close()


def _stored(path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute(f"SELECT {COLUMNS} FROM events ORDER BY position").fetchall()
    connection.close()
    return rows


@pytest.mark.parametrize("column", NAMES)
def test_any_flipped_byte_of_any_field_is_found(path: Path, column: str) -> None:
    edits = [
        (query, (*values, row[0])) for row in _stored(path) for query, values in flips(column, row[NAMES.index(column)])
    ]
    checked = 0
    for edit, problems in problems_after(path, edits):
        assert problems, edit
        assert problems[0].startswith("position "), problems
        checked += 1
    assert checked >= len(edits) * 3 // 4


def test_missing_moved_and_added_events_are_found(path: Path) -> None:
    edits: list[Edit] = [
        ("DELETE FROM events WHERE position = ?", (1,)),
        ("DELETE FROM events WHERE position = ?", (2,)),
        ("DELETE FROM events WHERE position = ?", (EVENTS,)),
        ("DELETE FROM events WHERE position >= ?", (0,)),
        ("UPDATE events SET position = -position WHERE position IN (2, ?)", (3,)),
        (ADDED, (EVENTS,)),
    ]
    found = {edit[0] + str(edit[1]): problems for edit, problems in problems_after(path, edits)}
    assert len(found) == len(edits)
    assert all(found.values())


def test_a_change_is_reported_where_it_is(path: Path) -> None:
    edit: Edit = ("UPDATE events SET payload = '{}' WHERE position = ?", (2,))
    ((_, problems),) = problems_after(path, [edit])
    assert problems == ["position 2: event_hash is not the hash of the event's fields"]
