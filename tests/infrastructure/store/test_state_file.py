"""The state file never makes the event loop wait, and its write-ahead log stays short."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.infrastructure.limits.sqlite import SqliteBreakers
from model_orchestrator.infrastructure.store import wal
from model_orchestrator.infrastructure.store.file_lock import FileLock
from model_orchestrator.infrastructure.store.gathering import TURNS
from model_orchestrator.infrastructure.store.state_file import LONG, StateFile

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (text TEXT)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.state.db"


def note(connection: sqlite3.Connection) -> int:
    connection.execute("INSERT INTO notes VALUES (?)", ("x" * 3000,))
    return int(connection.execute("SELECT count(*) FROM notes").fetchone()[0])


def fail(connection: sqlite3.Connection) -> int:
    note(connection)
    return int("nothing")


def until_locked(mutex: threading.Lock) -> None:
    while not mutex.locked():
        threading.Event().wait(0.001)


def test_the_loop_goes_on_while_a_foreign_program_writes_the_file(path: Path) -> None:
    async def scenario() -> None:
        file = StateFile(path, SCHEMA)
        await file.alone(note)
        with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
            foreign.execute("BEGIN IMMEDIATE")
            changed = asyncio.ensure_future(file.alone(note))
            await asyncio.sleep(0)
            assert not changed.done()
            foreign.execute("COMMIT")  # which this loop would not come to, if it waited for it
        assert await changed == 2
        file.close()

    asyncio.run(scenario())


def test_the_loop_goes_on_while_a_process_that_stands_still_has_the_file(path: Path) -> None:
    """A thread waits for that process; who wants to read waits for the thread, and nobody else does."""

    async def scenario() -> None:
        breakers = SqliteBreakers(path)
        await breakers.states(["m"])
        elsewhere = FileLock(path.with_name(f"{path.name}.lock"))
        elsewhere.acquire()
        changed = asyncio.ensure_future(breakers.record("m", ErrorKind.AUTH))
        await asyncio.to_thread(until_locked, breakers._file._mutex)
        asked = asyncio.ensure_future(breakers.states(["m"]))
        await asyncio.sleep(0)
        assert not asked.done()
        elsewhere.close()
        await changed
        assert (await asked).keys() == {"m"}
        await breakers.aclose()

    asyncio.run(scenario())


def test_callers_who_come_together_share_one_transaction(path: Path) -> None:
    """And whoever comes in the next turns of a loop that is shared."""

    async def scenario() -> None:
        file = StateFile(path, SCHEMA)
        await file.alone(note)
        changes = file._changes
        first = [asyncio.ensure_future(file.alone(note)) for _ in range(5)]
        assert await asyncio.gather(*first) == [2, 3, 4, 5, 6]
        assert file._changes == changes + 2  # the first of them could not know that others would come
        early = asyncio.ensure_future(file.alone(note))
        for _ in range(TURNS // 2):
            await asyncio.sleep(0)
        late = asyncio.ensure_future(file.alone(note))
        assert [await early, await late] == [7, 8]
        assert file._changes == changes + 3
        file.close()

    asyncio.run(scenario())


def test_whose_change_fails_among_others_is_told_alone(path: Path) -> None:
    async def scenario() -> None:
        file = StateFile(path, SCHEMA)
        await file.alone(note)
        outcomes = await asyncio.gather(*map(file.alone, (note, fail, note)), return_exceptions=True)
        assert isinstance(outcomes[1], ValueError)
        assert {outcomes[0], outcomes[2]} <= {2, 3, 4}  # each by itself now; what the second wrote first stands
        assert await file.alone(note) == 5
        file.close()

    asyncio.run(scenario())


def test_what_fails_alone_is_not_begun_again(path: Path) -> None:
    """Each of its statements commits by itself: begun again it would change the file twice."""

    async def scenario() -> None:
        file = StateFile(path, SCHEMA)
        await file.alone(note)
        with pytest.raises(ValueError, match="nothing"):
            await file.alone(fail)
        assert await file.alone(note) == 3
        first = [asyncio.ensure_future(file.alone(note)) for _ in range(3)]
        assert await asyncio.gather(*first) == [4, 5, 6]
        with pytest.raises(ValueError, match="nothing"):
            await file.alone(fail)  # it waited for others, and none came
        assert await file.alone(note) == 8
        file.close()

    asyncio.run(scenario())


def test_callers_are_answered_where_the_lock_file_cannot_be_tried(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network's file system that has no locks left: a thread waits for one, and says so where there is none."""

    def only_in_a_thread(self: FileLock, *, wait: bool = True) -> bool:
        if not wait:
            raise OSError(errno.ENOLCK, "No locks available")
        return acquire(self, wait=wait)

    async def scenario() -> None:
        file = StateFile(path, SCHEMA)
        await file.alone(note)
        for _ in range(2):  # then they wait for each other
            await asyncio.wait_for(asyncio.gather(*(file.alone(note) for _ in range(3))), 5)
        assert await file.alone(note) == 8
        file.close()

    acquire = FileLock.acquire
    monkeypatch.setattr(FileLock, "acquire", only_in_a_thread)
    asyncio.run(scenario())


def test_an_interrupt_leaves_nobody_waiting_and_no_transaction_open(path: Path) -> None:
    def interrupted(connection: sqlite3.Connection) -> int:
        raise KeyboardInterrupt

    async def begun() -> list[asyncio.Future[int]]:
        await file.alone(note)
        return [asyncio.ensure_future(file.alone(work)) for work in (note, note, interrupted, note)]

    file = StateFile(path, SCHEMA)
    loop = asyncio.new_event_loop()
    callers = loop.run_until_complete(begun())
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(asyncio.wait(callers, timeout=5))
    done, waiting = loop.run_until_complete(asyncio.wait(callers, timeout=5))
    assert (len(done), len(waiting)) == (4, 0)
    assert [caller.cancelled() for caller in callers] == [False, True, True, True]
    assert loop.run_until_complete(file.alone(note)) == 3
    file.close()
    loop.close()


def test_who_does_not_wait_any_more_changes_nothing(path: Path) -> None:
    async def scenario() -> None:
        file = StateFile(path, SCHEMA)
        await file.alone(note)
        _, gone, stays = [asyncio.ensure_future(file.alone(note)) for _ in range(3)]
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == 3
        assert await file.alone(note) == 4
        file.close()

    asyncio.run(scenario())


def test_openings_that_change_little_keep_the_write_ahead_log_short(path: Path) -> None:
    """None of them is the last to close, and none comes to its own checkpoint."""
    idle = StateFile(path, SCHEMA)
    idle.run(note)
    for _ in range(LONG // 10):
        brief = StateFile(path, SCHEMA)
        for _ in range(30):
            brief.run(note)
        brief.close()
        assert not wal.has_frames(f"{path}-wal", 2 * LONG)
    idle.close()
