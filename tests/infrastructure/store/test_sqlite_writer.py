"""The SQLite write side by itself: what one batch does, and what the file refuses."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.application.ports import Append, Appended, Expected, HoldRefused, StreamAppend, VersionConflict
from model_orchestrator.domain.errors import EventIdReused, StoreUnavailable
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.store import sqlite_connection
from model_orchestrator.infrastructure.store.append_rules import Outcome, Prepared
from model_orchestrator.infrastructure.store.file_lock import FileLock
from model_orchestrator.infrastructure.store.sqlite import SqliteStore
from model_orchestrator.infrastructure.store.sqlite_schema import bring_up_to_date
from model_orchestrator.infrastructure.store.sqlite_transaction import SqliteTransaction
from model_orchestrator.infrastructure.store.sqlite_writer import SqliteWriter
from tests.contracts.appends import appended, assert_sound, new_event, on_stream
from tests.contracts.event_store_balances import hold, limit
from tests.contracts.event_store_keys import a_batch_of_claims, assert_batch_left_its_rows, assert_batch_of_claims
from tests.contracts.event_store_shared import check


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def writer(path: Path) -> Iterator[SqliteWriter]:
    lock = FileLock(path.with_name("log.db.lock"))
    bring_up_to_date(path, lock)
    writer = SqliteWriter(path, lock)
    yield writer
    writer.close()


def batch(writer: SqliteWriter, *appends: Append) -> list[Outcome]:
    return writer.append_batch([Prepared.of(append) for append in appends])


def test_each_append_of_a_batch_sees_the_ones_before_it_and_fails_alone(path: Path, writer: SqliteWriter) -> None:
    event = new_event()
    outcomes = batch(
        writer,
        on_stream("a", event, expected=Expected.NONE, balances=[limit(10), hold(6)]),
        on_stream("a", expected=0),
        on_stream("a", expected=1),
        on_stream("a", event, expected=Expected.NONE, balances=[limit(10), hold(6)]),
        on_stream("b", replace(event, actor="other")),
        on_stream("b", balances=[hold(5)]),
        on_stream("b", balances=[hold(4)]),
    )
    first, stale, third, again, reused, refused, last = outcomes
    assert isinstance(first, Appended)
    assert stale == VersionConflict("a", 0, 1)
    assert isinstance(third, Appended)
    assert third.versions == (2,)
    assert again == replace(first, duplicate=True)
    assert isinstance(reused, EventIdReused)
    assert isinstance(refused, HoldRefused)
    assert isinstance(last, Appended)
    assert last.first_position == 3
    check(f"sqlite:///{path}")


def test_a_key_claimed_in_a_batch_is_taken_for_the_rest_of_it(path: Path, writer: SqliteWriter) -> None:
    appends, expected = a_batch_of_claims(hold(5))
    assert_batch_of_claims(batch(writer, *appends), expected)

    async def scenario() -> None:
        store = SqliteStore(path)
        await assert_batch_left_its_rows(store)
        await store.aclose()

    asyncio.run(scenario())


def test_positions_stay_gapless_when_a_transaction_is_rolled_back(
    path: Path, writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch(writer, on_stream("a"))
    finish = SqliteTransaction.finish

    def break_off(self: SqliteTransaction) -> None:
        finish(self)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(SqliteTransaction, "finish", break_off)
    outcomes = batch(writer, on_stream("a"), on_stream("b"))
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 2
    assert outcomes[0] is not outcomes[1]
    monkeypatch.undo()
    (outcome,) = batch(writer, on_stream("b"))
    assert isinstance(outcome, Appended)
    assert outcome.first_position == 2
    check(f"sqlite:///{path}")


def test_an_interrupt_inside_a_transaction_writes_nothing(
    path: Path, writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: SqliteTransaction) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SqliteTransaction, "finish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        batch(writer, on_stream("a"))
    monkeypatch.undo()
    (outcome,) = batch(writer, on_stream("a"))
    assert isinstance(outcome, Appended)
    assert outcome.first_position == 1
    check(f"sqlite:///{path}")


def test_a_commit_on_the_loop_does_not_wait_for_another_process(path: Path, writer: SqliteWriter) -> None:
    other = FileLock(path.with_name("log.db.lock"))
    other.acquire()
    append = [Prepared.of(on_stream("a"))]
    assert writer.append_inline(append) is None
    other.close()
    outcomes = writer.append_inline(append)
    assert outcomes is not None
    assert isinstance(outcomes[0], Appended)


def test_a_foreign_program_that_holds_the_file_keeps_nobody_but_the_appends_waiting(path: Path) -> None:
    """The event loop goes on; the appends are committed when the program lets go."""

    async def scenario() -> None:
        store = SqliteStore(path)
        await appended(store, on_stream("a"))
        foreign = sqlite3.connect(path, isolation_level=None)
        foreign.execute("BEGIN IMMEDIATE")
        assert store._writer.append_inline([Prepared.of(on_stream("a"))]) is None
        waiting = asyncio.gather(*(appended(store, on_stream("a")) for _ in range(3)))
        for _ in range(100):  # turns of a loop that is not held up, or the program would never let go
            await asyncio.sleep(0)
        assert not waiting.done()
        foreign.execute("ROLLBACK")
        foreign.close()
        assert sorted(result.last_position for result in await waiting) == [2, 3, 4]
        assert store._writer._opened().execute("PRAGMA busy_timeout").fetchone() == (0,)  # on the loop nobody waits
        await assert_sound(store)
        await store.aclose()

    asyncio.run(scenario())


def test_a_foreign_program_that_does_not_let_go_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_connection, "BUSY_TIMEOUT", 0.05)

    async def scenario() -> None:
        store = SqliteStore(path)
        await appended(store, on_stream("a"))
        foreign = sqlite3.connect(path, isolation_level=None)
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="another program holds it locked"):
            await store.append(on_stream("a"))
        foreign.close()
        assert (await appended(store, on_stream("a"))).first_position == 2
        await store.aclose()

    asyncio.run(scenario())


def test_a_tail_passes_a_writer_that_stalls_inside_its_insert(path: Path) -> None:
    """Uncommitted events are invisible, and nobody gets a later position before they are decided."""

    async def scenario() -> None:
        store = SqliteStore(path)
        await appended(store, on_stream("a"))
        tail = store.tail()
        assert (await anext(tail)).position == 1
        stalled = FileLock(path.with_name("log.db.lock"))
        stalled.acquire()
        waiting = asyncio.ensure_future(store.append(on_stream("b")))
        coming = asyncio.ensure_future(anext(tail))
        done, _ = await asyncio.wait((waiting, coming), timeout=0.2)
        assert not done
        stalled.close()
        assert isinstance(await waiting, Appended)
        assert (await asyncio.wait_for(coming, 10)).position == 2
        await assert_sound(store)
        await store.aclose()

    asyncio.run(scenario())


FORGED = "INSERT {verb} INTO events SELECT {position}, {stream}, 1, {id}, type, 1, 1, 1, NULL, 'c', 'a', '{{}}', "
FORGED += "event_hash, chain_hash FROM events WHERE position = 1"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET payload = '{}'",
        "UPDATE events SET actor = 'x' WHERE position = 1",
        "DELETE FROM events",
        "DELETE FROM events WHERE position = 2",
        "INSERT OR REPLACE INTO events SELECT * FROM events WHERE position = 1",
        FORGED.format(verb="OR REPLACE", position=3, stream="'c'", id="event_id"),
        FORGED.format(verb="OR REPLACE", position=3, stream="'a'", id="randomblob(16)"),
        FORGED.format(verb="", position=9, stream="'c'", id="randomblob(16)"),
    ],
)
def test_events_refuse_update_delete_and_replacement(path: Path, writer: SqliteWriter, statement: str) -> None:
    batch(writer, on_stream("a"), on_stream("b"))
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="events are immutable"):
        connection.execute(statement)
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (2,)
    connection.close()


def test_recorded_at_never_runs_backwards(path: Path) -> None:
    times = iter([Timestamp(1_000_000), Timestamp(5_000_000), Timestamp(2_000_000), Timestamp(6_000_000)])

    async def scenario() -> None:
        store = SqliteStore(path, clock=lambda: next(times))
        recorded = [(await appended(store, on_stream("a"))).recorded_at for _ in range(4)]
        assert recorded == [1_000_000, 5_000_000, 5_000_000, 6_000_000]
        await assert_sound(store)
        await store.aclose()

    asyncio.run(scenario())


def test_half_a_surrogate_fails_only_its_own_caller(path: Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(path)
        results = await asyncio.gather(
            store.append(on_stream("a")),
            store.append(on_stream("b", new_event("\ud800"))),
            store.append(Append(streams=(StreamAppend("c", 0, (new_event(),)),), balances=(hold(1, scope="\ud800"),))),
            store.append(on_stream("d")),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [Appended, UnicodeEncodeError, UnicodeEncodeError, Appended]
        await store.aclose()

    asyncio.run(scenario())


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of descriptors there")
def test_a_process_without_a_descriptor_left_is_told_of_its_commit(path: Path, writer: SqliteWriter) -> None:
    """The look at the write-ahead log's length comes after the commit, and may fail."""
    import resource

    batch(writer, on_stream("a"))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        (outcome,) = batch(writer, on_stream("b"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert isinstance(outcome, Appended)


def test_the_file_is_opened_on_the_event_loop_without_waiting(
    path: Path, writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A foreign program may hold all of it."""
    patience: list[float] = []
    connect: Any = sqlite3.connect

    def watched(*args: Any, timeout: float, **kwargs: Any) -> Any:
        patience.append(timeout)
        return connect(*args, timeout=timeout, **kwargs)

    foreign = connect(path, isolation_level=None)
    foreign.execute("PRAGMA locking_mode=EXCLUSIVE")
    foreign.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(sqlite3, "connect", watched)
    assert writer.append_inline([Prepared.of(on_stream("a"))]) is None
    assert patience == [0]
    foreign.execute("COMMIT")
    foreign.close()
    assert isinstance(batch(writer, on_stream("a"))[0], Appended)
