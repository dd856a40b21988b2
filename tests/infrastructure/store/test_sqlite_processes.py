"""Several processes at one SQLite file: storms, forks, and a disk that is full."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import threading
from pathlib import Path

import pytest

from model_orchestrator.application.ports import EventStore
from model_orchestrator.domain.units import Duration
from model_orchestrator.infrastructure.store import sqlite_writer
from model_orchestrator.infrastructure.store.file_lock import FileLock
from model_orchestrator.infrastructure.store.sqlite import SqliteStore
from model_orchestrator.infrastructure.store.sqlite_state import SqliteLeases
from tests.contracts.appends import appended, assert_sound, new_event, on_stream
from tests.contracts.event_store_shared import check
from tests.contracts.store_process import finished, go, start

from .system_calls import HINT, shim

PROCESSES = 4


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def integrity(path: Path) -> list[tuple[str]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA integrity_check").fetchall()
    finally:
        connection.close()


def test_4_processes_all_progress_through_a_storm_of_writes_and_checkpoints(tmp_path: Path) -> None:
    """Each commits in its turn; checkpoints fall due many times; the file stays whole."""
    path = tmp_path / "log.db"
    storm = {"STORE_CHECKPOINT_FRAMES": "20"}
    processes = [start("together", url(path), f"p{n}", 60, 3, env=storm) for n in range(PROCESSES)]
    go(processes)
    outputs = finished(processes)
    assert [len(lines) for lines in outputs] == [180] * PROCESSES
    check(url(path))
    assert integrity(path) == [("ok",)]


def test_a_process_that_dies_with_the_lock_leaves_it_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        FileLock(path).acquire()
        os.write(writer, b"x")
        signal.pause()
        os._exit(0)
    lock = FileLock(path)
    try:
        assert os.read(reader, 1) == b"x"
        assert not lock.acquire(wait=False)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert lock.acquire()
    lock.close()


async def _log(store: EventStore) -> list[str]:
    return [event.stream for event in await store.read_all()]


def forked(work: object) -> int:
    """The exit status of a child that runs `work`."""
    if (child := os.fork()) == 0:
        signal.alarm(20)  # a child that hangs ends too
        status = 1
        try:
            work()  # type: ignore[operator]
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_parent_and_child_use_a_store_from_before_the_fork(tmp_path: Path) -> None:
    """No connection, lock or thread crosses the fork: both open their own, and no commit is lost."""
    store = SqliteStore(tmp_path / "log.db")
    leases = SqliteLeases(tmp_path / "log.state.db")

    async def use(name: str, times: int = 5) -> None:
        for _ in range(times):
            await asyncio.gather(*(appended(store, on_stream(name)) for _ in range(3)))
            await appended(store, on_stream(name))
        await leases.acquire(name, worker=name, epoch=1, ttl=Duration(10**9))

    def child() -> None:
        assert open_files(tmp_path) == []
        asyncio.run(use("child"))
        assert asyncio.run(leases.holder("parent")) is not None
        asyncio.run(store.aclose())

    asyncio.run(use("parent"))
    assert forked(child) == 0
    asyncio.run(use("parent"))

    async def checked() -> None:
        streams = await _log(store)
        assert (streams.count("parent"), streams.count("child")) == (40, 20)
        await assert_sound(store)
        assert await leases.holder("child") is not None
        await store.aclose()

    asyncio.run(checked())
    assert integrity(tmp_path / "log.db") == [("ok",)]


def open_files(folder: Path) -> list[str]:
    """The process's open files below the folder (Linux; elsewhere none are seen)."""
    descriptors = Path("/proc/self/fd")
    links = (
        [os.readlink(entry) for entry in descriptors.iterdir() if entry.is_symlink()] if descriptors.exists() else []
    )
    return [link for link in links if link.startswith(str(folder))]


def test_a_fork_amid_writing_threads_harms_neither_side(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "log.db")
    stop = threading.Event()

    async def write() -> int:
        count = 0
        while not stop.is_set():
            await asyncio.gather(*(appended(store, on_stream("parent")) for _ in range(4)))
            count += 4
        return count

    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(asyncio.run(write()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    statuses = [forked(lambda: asyncio.run(_one(store, "child"))) for _ in range(5)]
    stop.set()
    for thread in threads:
        thread.join()
    assert statuses == [0] * 5

    async def checked() -> None:
        await assert_sound(store)
        assert len(await store.read_stream("child")) == 5
        assert len(await store.read_stream("parent")) == sum(counts)
        await store.aclose()

    asyncio.run(checked())


async def _one(store: EventStore, stream: str) -> None:
    await appended(store, on_stream(stream))


def test_a_full_disk_loses_nothing_and_says_so(tmp_path: Path) -> None:
    """Every write to the database's files fails for want of space from some moment on, until there is room again."""
    if not shutil.which("cc"):
        pytest.fail(HINT)
    flag = tmp_path / "full"
    process = start("fill", url(tmp_path / "log.db"), env=shim(tmp_path) | {"STORE_FULL": str(flag)})
    go([process])
    assert process.stdout is not None
    assert process.stdin is not None
    lines = [process.stdout.readline() for _ in range(20)]
    flag.touch()
    while not lines[-1].startswith("full"):
        lines.append(process.stdout.readline())
    assert "the disk is full" in lines[-1]
    flag.unlink()
    process.stdin.write("\n")
    process.stdin.flush()
    (rest,) = finished([process])
    assert rest == ["after-0"]
    check(url(tmp_path / "log.db"))
    assert integrity(tmp_path / "log.db") == [("ok",)]
    connection = sqlite3.connect(tmp_path / "log.db")
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (3 * len(lines),)
    connection.close()


def test_a_file_size_limit_is_met_the_same_way(tmp_path: Path) -> None:
    """The system itself refuses to let the files grow: no shim between."""
    process = start("fill", url(tmp_path / "log.db"), env={"STORE_FILE_LIMIT": "300000"})
    go([process])
    assert process.stdout is not None
    assert process.stdin is not None
    lines = [process.stdout.readline()]
    while not lines[-1].startswith("full"):
        lines.append(process.stdout.readline())
    process.stdin.write("\n")
    process.stdin.flush()
    (rest,) = finished([process])
    assert rest == ["after-0"]
    check(url(tmp_path / "log.db"))
    connection = sqlite3.connect(tmp_path / "log.db")
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (3 * len(lines),)
    connection.close()


def test_checkpoints_keep_the_write_ahead_log_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never grows far beyond the limit, whoever commits: alone or together."""
    monkeypatch.setattr(sqlite_writer, "CHECKPOINT_FRAMES", 200)
    path = tmp_path / "log.db"
    store = SqliteStore(path)

    async def write() -> int:
        longest = 0
        for _ in range(100):
            await appended(store, on_stream("a", new_event('"' + "x" * 4000 + '"')))
            await asyncio.gather(*(appended(store, on_stream("b")) for _ in range(4)))
            longest = max(longest, path.with_name("log.db-wal").stat().st_size)
        await store.aclose()
        return longest

    assert asyncio.run(write()) < 4 * 200 * 4120
    assert integrity(path) == [("ok",)]
