"""What an event store must do when several processes use one database; adapters bring `database_url`."""

from __future__ import annotations

import asyncio
import subprocess
from collections import defaultdict

import pytest

from model_orchestrator.application.ports import EventStore
from model_orchestrator.infrastructure.store.opening import open_store

from .appends import appended, assert_sound, on_stream, whole_log
from .store_process import finished, go, start

WRITERS = 8
APPENDS = 30
EVENTS = sum(1 + n % 3 for n in range(APPENDS))  # of one writer
KILLS = 200


class SharedEventStoreContract:
    """`database_url` names the test's own database, at first empty."""

    @pytest.fixture
    def database_url(self) -> str:
        raise NotImplementedError

    def test_what_was_appended_is_there_after_reopening(self, database_url: str) -> None:
        async def write() -> bytes:
            store = open_store(database_url)
            await appended(store, on_stream("a"))
            secret = await store.content_secret()
            await store.aclose()
            return secret

        async def read() -> bytes:
            store = open_store(database_url)
            assert [event.position for event in await store.read_stream("a")] == [1]
            assert (await appended(store, on_stream("b"))).first_position == 2
            await assert_sound(store)
            secret = await store.content_secret()
            await store.aclose()
            return secret

        assert asyncio.run(write()) == asyncio.run(read())

    def test_a_tailing_reader_misses_nothing_of_8_writing_processes(self, database_url: str) -> None:
        open_and_close(database_url)
        writers = [start("append", database_url, f"w{n}", APPENDS) for n in range(WRITERS)]
        positions = asyncio.run(_tail_beside(database_url, writers, WRITERS * EVENTS))
        assert positions == list(range(1, WRITERS * EVENTS + 1))
        acknowledged = sorted(line.split()[0] for lines in finished(writers) for line in lines)
        assert len(acknowledged) == WRITERS * APPENDS
        check(database_url)

    def test_killed_writers_lose_nothing_acknowledged_and_leave_nothing_partial(self, database_url: str) -> None:
        open_and_close(database_url)
        killer = start("kill", database_url, KILLS)
        go([killer])
        (lines,) = finished([killer])
        assert len(lines) > KILLS / 2  # the kills fell on working writers
        found = _appends_of(asyncio.run(_read(database_url)))
        assert set(found.values()) == {3}  # whole appends only
        assert set(lines) <= set(found)
        assert asyncio.run(_contents(database_url, list(found))) == set(found)
        check(database_url)


def open_and_close(database_url: str) -> None:
    """So that the processes of a test do not all create the schema first."""

    async def opened() -> None:
        await open_store(database_url).aclose()

    asyncio.run(opened())


def check(database_url: str) -> None:
    async def checked() -> None:
        store = open_store(database_url)
        await assert_sound(store)
        await store.aclose()

    asyncio.run(checked())


async def _tail_beside(database_url: str, writers: list[subprocess.Popen[str]], count: int) -> list[int]:
    store = open_store(database_url)
    reading = asyncio.ensure_future(_positions(store, count))
    await asyncio.get_running_loop().run_in_executor(None, go, writers)
    positions = await asyncio.wait_for(reading, 60)
    await store.aclose()
    return positions


async def _positions(store: EventStore, count: int) -> list[int]:
    positions: list[int] = []
    async for event in store.tail():
        positions.append(event.position)
        if len(positions) == count:
            break
    return positions


async def _read(database_url: str) -> list[str]:
    store = open_store(database_url)
    payloads = [event.payload for event in await whole_log(store)]
    await store.aclose()
    return payloads


async def _contents(database_url: str, refs: list[str]) -> set[str]:
    store = open_store(database_url)
    found = await store.contents(refs)
    await store.aclose()
    return set(found)


def _appends_of(payloads: list[str]) -> dict[str, int]:
    """How many events of each append there are."""
    counts: dict[str, int] = defaultdict(int)
    for payload in payloads:
        counts[payload.split('"')[3]] += 1
    return counts
