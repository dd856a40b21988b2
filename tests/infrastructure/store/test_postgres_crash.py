"""A private PostgreSQL whose postmaster is killed and whose log's flushes are watched: acknowledged means on disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from model_orchestrator.application.ports import EventStore
from model_orchestrator.domain.units import Duration
from model_orchestrator.infrastructure.store import database
from model_orchestrator.infrastructure.store.postgres import PostgresStore
from model_orchestrator.infrastructure.store.postgres_calls import APPEND
from model_orchestrator.infrastructure.store.postgres_leases import PostgresLeases
from tests.contracts.appends import appended, assert_sound, new_event, on_stream, whole_log
from tests.contracts.store_process import go, start
from tests.postgres import PostgresServer, database_name, socket_dir, start_server

KILLS = 10


@pytest.fixture(scope="module")
def private() -> Iterator[Any]:
    """The wheel's handle of a server that nobody else uses."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-pg-private-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = start_server(Path(folder) / "data", cleanup_mode="stop")
        yield server
        server.cleanup()


@pytest.fixture
def url(private: Any) -> str:
    """A database of its own on the private server."""
    server = PostgresServer(socket_dir(private), f"t{secrets.token_hex(4)}")
    url = server.create("template0")
    database.upgrade(url)
    return url


def kill_postmaster(server: Any) -> None:
    """SIGKILL the postmaster, and start the server again once the sessions it left have noticed."""
    killed = server.get_pid()
    os.kill(killed, signal.SIGKILL)
    server.get_postmaster_info().process.wait(30)
    deadline = time.monotonic() + 30
    while server.get_pid() == killed:
        assert time.monotonic() < deadline, "the server does not start"
        with contextlib.suppress(subprocess.SubprocessError):  # while an orphan still holds the shared memory
            server.ensure_postgres_running()


def test_a_killed_server_has_everything_it_acknowledged(private: Any, url: str) -> None:
    """The writer goes on by itself after each restart; what it was told is in the log, and nothing is there twice."""
    writer = start("together", url, "w", 10**6, 8)
    go([writer])
    assert writer.stdout is not None
    acknowledged: list[str] = []
    for _ in range(KILLS):
        acknowledged += [writer.stdout.readline().strip() for _ in range(50)]
        kill_postmaster(private)
    acknowledged += [writer.stdout.readline().strip() for _ in range(50)]
    writer.kill()
    acknowledged += writer.stdout.read().split()  # not `communicate`, which passes over what was read ahead
    writer.communicate()

    async def checked() -> None:
        store = PostgresStore(url)
        found = Counter(event.payload.split('"')[3] for event in await whole_log(store))
        assert set(found.values()) == {3}  # whole appends, and each once
        assert set(acknowledged) <= set(found)
        assert set(await store.contents(list(found))) == set(found)
        await assert_sound(store)
        await store.aclose()

    asyncio.run(checked())


# ---- flushed before it is acknowledged ----


@pytest.fixture
def watched(private: Any, url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection that watches the log of a server where only commits flush it, and no commit has to."""
    name = database_name(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        connection.execute("SELECT pg_reload_conf()")
        yield connection


async def unflushed(store: EventStore, watched: psycopg.Connection[Any]) -> int:
    """Of 20 acknowledged appends, how many were not yet flushed to the disk."""
    count = 0
    for _ in range(20):
        # The append's records come after `before`, and are longer than 2,000 bytes.
        ((before,),) = watched.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchall()
        await appended(store, on_stream("a", *(new_event(f'"{secrets.token_hex(1000)}"') for _ in range(2))))
        ((flushed,),) = watched.execute("SELECT pg_current_wal_flush_lsn() - '0/0'").fetchall()
        count += flushed < before + 2000
    return count


def test_an_append_is_flushed_before_it_is_acknowledged(url: str, watched: psycopg.Connection[Any]) -> None:
    """Although the database would let it return earlier."""

    async def scenario() -> None:
        store = PostgresStore(url)
        await appended(store, on_stream("a"))
        assert await unflushed(store, watched) == 0
        await store.aclose()

    asyncio.run(scenario())


def test_a_commit_that_does_not_wait_would_be_noticed(url: str, watched: psycopg.Connection[Any]) -> None:
    """The measurement above can fail: with synchronous_commit off behind the store's back, it does."""

    async def scenario() -> None:
        store = PostgresStore(url)
        await appended(store, on_stream("a"))
        store._writer._opened(APPEND).execute("SET synchronous_commit = off")
        assert await unflushed(store, watched) > 0
        await store.aclose()

    asyncio.run(scenario())


def test_a_lease_waits_for_no_disk_and_is_on_it_before_what_is_appended_under_it(
    url: str, watched: psycopg.Connection[Any]
) -> None:
    """It costs no flush of its own: the append's is behind it in the server's log."""

    def moments() -> tuple[int, int]:
        query = "SELECT pg_current_wal_insert_lsn() - '0/0', pg_current_wal_flush_lsn() - '0/0'"
        ((written, flushed),) = watched.execute(query).fetchall()
        return int(written), int(flushed)

    async def scenario() -> None:
        store, leases = PostgresStore(url), PostgresLeases(url)
        await appended(store, on_stream("a"))
        waited = 0
        for number in range(20):
            await leases.acquire(f"run-{number}", worker="w", epoch=1, ttl=Duration(60_000_000))
            taken, flushed = moments()
            waited += flushed >= taken
            await appended(store, on_stream("a"))
            assert moments()[1] >= taken
        assert waited < 20
        await store.aclose()
        await leases.aclose()

    asyncio.run(scenario())


def test_a_server_that_does_not_flush_at_all_is_pointed_out(private: Any, url: str) -> None:
    assert database.status(url).warnings == ()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    try:
        assert [warning.split(":")[0] for warning in database.status(url).warnings] == ["fsync is off"]
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM RESET fsync")
            connection.execute("SELECT pg_reload_conf()")
