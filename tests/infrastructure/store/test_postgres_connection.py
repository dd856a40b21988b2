"""PostgresStore when its connections break, its process forks, or the database is not the one it needs."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import psycopg
import pytest

from model_orchestrator.domain.errors import (
    ConfigurationError,
    StoreCorrupted,
    StoreError,
    StoreTooNew,
    StoreUnavailable,
)
from model_orchestrator.domain.units import Duration
from model_orchestrator.infrastructure.migrations.revisions import NEWEST
from model_orchestrator.infrastructure.store import postgres as postgres_module
from model_orchestrator.infrastructure.store import postgres_connection
from model_orchestrator.infrastructure.store.postgres import PostgresStore
from model_orchestrator.infrastructure.store.postgres_leases import PostgresLeases
from model_orchestrator.infrastructure.store.postgres_listener import Listener
from tests.contracts.appends import appended, assert_sound, on_stream, whole_log
from tests.postgres import database_name

from .cut_proxy import CutProxy

# ---- lost connections ----


def test_a_commit_whose_answer_was_lost_is_found_and_not_repeated(proxy: CutProxy, proxied_url: str) -> None:
    async def scenario() -> None:
        store = PostgresStore(proxied_url)
        await appended(store, on_stream("a"))
        proxy.lose_next_answer = True
        results = await asyncio.gather(*(appended(store, on_stream(f"b{n}")) for n in range(5)))
        assert sorted(result.first_position for result in results) == [2, 3, 4, 5, 6]
        assert results[0].duplicate  # its first commit was durable, and only its answer lost
        assert len(await whole_log(store)) == 6
        await assert_sound(store)
        await store.aclose()

    asyncio.run(scenario())


def test_an_outcome_that_stays_unknown_is_called_unknown_and_can_be_asked_again(
    proxy: CutProxy, proxied_url: str, postgres_url: str
) -> None:
    async def scenario() -> None:
        store = PostgresStore(proxied_url, patience=0.1)
        await appended(store, on_stream("a"))
        lost = on_stream("b")
        proxy.lose_next_answer = proxy.refuse = True
        with pytest.raises(StoreUnavailable, match="is unknown: append it again with the same event ids"):
            await store.append(lost)
        with pytest.raises(StoreUnavailable, match="nothing was written"):  # no connection: it was never sent
            await store.append(on_stream("c"))
        proxy.refuse = False
        again = await appended(store, lost)
        assert (again.first_position, again.duplicate) == (2, True)
        assert [event.stream for event in await store.read_all()] == ["a", "b"]
        await store.aclose()

    asyncio.run(scenario())


def end_sessions(url: str) -> int:
    """End every other session of the database, as a restart of the server does; how many there were."""
    query = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""
    with psycopg.connect(url, autocommit=True) as connection:
        ((count,),) = connection.execute(query).fetchall()
    return int(count)


def test_a_store_goes_on_after_its_sessions_were_ended(postgres_url: str) -> None:
    """Writer, readers, leases and the listener each open another connection."""

    async def scenario() -> None:
        store, leases = PostgresStore(postgres_url), PostgresLeases(postgres_url)
        tail = store.tail()
        for position in range(1, 5):
            assert (await appended(store, on_stream("a"))).last_position == position
            assert (await asyncio.wait_for(anext(tail), 10)).position == position
            await asyncio.gather(*(store.head() for _ in range(5)))
            assert await leases.acquire("run", worker="w", epoch=1, ttl=Duration(10**9))
            assert end_sessions(postgres_url) >= 3
        await tail.aclose()  # type: ignore[attr-defined]
        await store.aclose()
        await leases.aclose()

    asyncio.run(scenario())


# ---- tails ----


async def follow(reader: PostgresStore, writer: PostgresStore) -> None:
    """A tail of one store sees what another appends."""
    tail = reader.tail()
    first = asyncio.ensure_future(anext(tail))
    for position in range(1, 4):
        await appended(writer, on_stream("a"))
        assert (await asyncio.wait_for(first, 10)).position == position
        first = asyncio.ensure_future(anext(tail))
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    for store in {reader, writer}:
        await store.aclose()


def test_other_processes_commits_wake_a_tail_without_waiting_for_its_poll(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_module, "POLL", 3600.0)
    asyncio.run(follow(PostgresStore(postgres_url), PostgresStore(postgres_url)))


def test_own_commits_wake_a_tail_without_the_database_saying_so(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_module, "POLL", 3600.0)
    monkeypatch.setattr(Listener, "start", lambda self: None)
    store = PostgresStore(postgres_url)
    asyncio.run(follow(store, store))


def test_a_tail_that_nobody_wakes_looks_by_itself(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_module, "POLL", 0.05)
    monkeypatch.setattr(Listener, "start", lambda self: None)
    asyncio.run(follow(PostgresStore(postgres_url), PostgresStore(postgres_url)))


# ---- forks ----


def test_parent_and_child_use_a_store_from_before_the_fork(postgres_url: str) -> None:
    """Neither closes or speaks on a connection of the other's."""
    store, leases = PostgresStore(postgres_url), PostgresLeases(postgres_url)

    async def use(name: str) -> None:
        tail = store.tail()
        for _ in range(5):
            await asyncio.gather(*(appended(store, on_stream(name)) for _ in range(3)))
        assert (await anext(tail)).stream == "parent"
        await leases.acquire(name, worker=name, epoch=1, ttl=Duration(10**9))
        await tail.aclose()  # type: ignore[attr-defined]

    async def closed() -> None:
        await store.aclose()
        await leases.aclose()

    def child() -> None:
        asyncio.run(use("child"))
        asyncio.run(closed())

    asyncio.run(use("parent"))
    pids = sessions(postgres_url)
    assert forked(child) == 0
    assert sessions(postgres_url) == pids
    asyncio.run(use("parent"))
    assert sessions(postgres_url) == pids

    async def checked() -> None:
        streams = [event.stream for event in await whole_log(store)]
        assert (streams.count("parent"), streams.count("child")) == (30, 15)
        await assert_sound(store)
        await closed()

    asyncio.run(checked())


def sessions(url: str) -> list[tuple[Any, ...]]:
    query = """SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%append_events_v1%'"""
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def forked(work: Any) -> int:
    """The exit status of a child that runs `work`."""
    if (child := os.fork()) == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# ---- databases it cannot use ----


def refusal(url: str) -> StoreError:
    with pytest.raises(StoreError) as caught:
        PostgresStore(url)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_database_without_the_schema_asks_for_the_upgrade(empty_postgres_url: str) -> None:
    error = refusal(empty_postgres_url)
    assert isinstance(error, StoreUnavailable)
    assert str(error).endswith("has no event log yet; run: model-orchestrator db upgrade")


def test_a_newer_schema_is_left_alone(postgres_url: str) -> None:
    stamp(postgres_url, "9999_from_the_future")
    error = refusal(postgres_url)
    assert isinstance(error, StoreTooNew)
    assert "9999_from_the_future" in str(error)


def test_a_newer_schema_that_this_release_can_live_with_is_used(postgres_url: str) -> None:
    """So a worker of the release before can start again in the middle of a rolling deploy."""
    stamp(postgres_url, "9999_from_the_future")
    with psycopg.connect(postgres_url) as connection:
        connection.execute("INSERT INTO log.meta VALUES ('works_with', %s)", (f"0003_content_keys,{NEWEST}".encode(),))
    store = PostgresStore(postgres_url)
    store._close()


def test_an_older_schema_asks_for_the_upgrade(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_connection, "NEWEST", "0002_later")
    assert "run: model-orchestrator db upgrade" in str(refusal(postgres_url))


def test_an_old_server_is_refused(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_connection, "OLDEST_SERVER", 99)
    assert "version 99 or later is needed" in str(refusal(postgres_url))


def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path: Path) -> None:
    error = str(refusal(f"postgresql://me:tell-nobody@/name?host={tmp_path}"))
    assert str(tmp_path) in error
    assert "tell-nobody" not in error


def test_an_address_psycopg_cannot_read_is_not_quoted() -> None:
    with pytest.raises(ConfigurationError, match="postgresql://USER:PASSWORD@HOST") as caught:
        PostgresStore("postgresql://me:tell%nobody@host/name")
    assert "tell" not in str(caught.value)


def test_a_text_that_is_no_text_is_damage(postgres_url: str) -> None:
    async def scenario() -> None:
        store = PostgresStore(postgres_url)
        with psycopg.connect(postgres_url) as connection:
            connection.execute(r"INSERT INTO log.contents VALUES ('r', NULL, '', '\xff')")
        with pytest.raises(StoreCorrupted, match="UTF-8"):
            await store.contents(["r"])
        await store.aclose()

    asyncio.run(scenario())


def test_commits_are_synchronous_whatever_the_database_says(postgres_url: str) -> None:
    name = database_name(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with psycopg.connect(postgres_url) as plain:
        assert plain.execute("SHOW synchronous_commit").fetchall() == [("off",)]
    with postgres_connection.connect(postgres_url) as ours:
        assert ours.execute("SHOW synchronous_commit").fetchall() == [("on",)]


def stamp(url: str, revision: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE log.alembic_version SET version_num = %s", (revision,))
