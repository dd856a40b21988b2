"""A release writes what the one before it can read, until `db finalize`; on both databases."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from model_orchestrator.cli import main
from model_orchestrator.domain.errors import InvalidRequest, StoreUnavailable
from model_orchestrator.domain.events import RunCancelled
from model_orchestrator.infrastructure import event_codec, event_levels, upcasters
from model_orchestrator.infrastructure.clock import SystemClock
from model_orchestrator.infrastructure.event_levels import Level
from model_orchestrator.infrastructure.run_log import StoredRunLog
from model_orchestrator.infrastructure.store import database, level
from model_orchestrator.infrastructure.store.finalizing import finalize
from model_orchestrator.infrastructure.store.opening import open_store

WAITS = r"an older release are connected \(connection \d+ of the server's own machine|other processes have it open"
CANCELLED = RunCancelled(by="me", cost=None, released=())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPaused:
    """An event of the next release."""

    reason: str


PAUSED: Any = RunPaused  # no event of this release's union


def _without_reason(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "reason"}


@pytest.fixture
def next_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is of a release with one more type, and a new version of another."""
    monkeypatch.setattr(level, "LOOK", 0.0)
    monkeypatch.setitem(event_codec.EVENT_TYPES, "RunPaused", RunPaused)
    monkeypatch.setitem(event_codec.SCHEMA_VERSIONS, "RunPaused", 1)
    monkeypatch.setitem(event_codec.SCHEMA_VERSIONS, "RunCancelled", 2)
    monkeypatch.setitem(upcasters.UPCASTERS, ("RunCancelled", 1), lambda fields: fields)
    raised = Level(types=frozenset({"RunPaused"}), raised={"RunCancelled": _without_reason})
    monkeypatch.setattr(event_levels, "LEVELS", (*event_levels.LEVELS, raised))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that a release of the first level made."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("server_url"))
    database.upgrade(f"sqlite:///{tmp_path / 'log.db'}")
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as file:
        file.execute("DELETE FROM meta WHERE key = 'event_level'")
    return f"sqlite:///{tmp_path / 'log.db'}"


@pytest.fixture
def server_url(postgres_url: str) -> str:
    """The same on PostgreSQL."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("DELETE FROM log.meta WHERE key = 'event_level'")
    return postgres_url


@contextmanager
def opened_by_the_first_release(url: str) -> Iterator[None]:
    """A process of the first level that has the database open."""
    program = (
        "import asyncio, sys\n"
        "from model_orchestrator.infrastructure.store.opening import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "asyncio.run(store.head())\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", program, url], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def with_log(url: str, steps: Callable[[StoredRunLog], Awaitable[None]]) -> None:
    """Run the steps on an open log."""

    async def run() -> None:
        store = open_store(url)
        try:
            await steps(StoredRunLog(store, SystemClock(), actor="local"))
        finally:
            await store.aclose()

    asyncio.run(run())


def written(url: str) -> tuple[int, bool]:
    """The version that a worker writes of a changed event, and whether it writes the new type."""
    found: list[tuple[int, bool]] = []

    async def steps(log: StoredRunLog) -> None:
        found.append((log.encode(CANCELLED)[1], log.writes(PAUSED)))

    with_log(url, steps)
    return found[0]


@pytest.mark.usefixtures("next_release")
def test_what_is_new_is_written_once_the_database_is_finalized(url: str) -> None:
    """Before that, the version that the release before it reads, and no new type."""
    assert written(url) == (1, False)
    done = finalize(url)
    assert (done.before, done.now) == (1, 2)
    assert written(url) == (2, True)
    assert finalize(url).before == 2
    status = database.status(url)
    assert (status.level, status.newest_level) == (2, 2)


@pytest.mark.usefixtures("next_release")
def test_a_worker_notices_without_a_restart(url: str) -> None:
    """It looks before it appends."""

    async def steps(log: StoredRunLog) -> None:
        assert not log.writes(PAUSED)
        finalize(url, anyway=True)
        await log.append("run-1", expected=0, events=[CANCELLED])
        assert log.writes(PAUSED)
        await log.append("run-1", expected=1, events=[PAUSED(reason="lunch")])
        entries = await log.store.read_stream("run-1")
        assert [one.type for one in entries] == ["RunCancelled", "RunPaused"]
        assert log.decode(entries[0]) == CANCELLED

    with_log(url, steps)


@pytest.mark.usefixtures("next_release")
def test_an_event_of_a_new_type_is_not_smuggled_in(url: str) -> None:
    """Who records one has to ask first."""

    async def steps(log: StoredRunLog) -> None:
        with pytest.raises(LookupError, match="RunPaused is not written before `db finalize`"):
            await log.append("run-1", expected=0, events=[PAUSED(reason="lunch")])
        assert await log.store.head() == 0

    with_log(url, steps)


@pytest.mark.usefixtures("next_release")
def test_finalize_waits_for_the_workers_of_the_release_before(url: str) -> None:
    """They are known by their connections; of a file it is only known that somebody has it open."""
    with opened_by_the_first_release(url):
        with pytest.raises(InvalidRequest, match=WAITS):
            finalize(url)
        assert database.status(url).level == 1
    assert finalize(url).now == 2


@pytest.mark.usefixtures("next_release")
def test_finalize_can_be_told_not_to_wait(url: str) -> None:
    with opened_by_the_first_release(url):
        assert finalize(url, anyway=True).now == 2


@pytest.mark.usefixtures("next_release")
def test_workers_of_this_release_do_not_hinder_it(server_url: str) -> None:
    """Their connections say what they can read."""

    async def steps(log: StoredRunLog) -> None:
        await log.store.head()
        assert finalize(server_url).now == 2

    with_log(server_url, steps)


@pytest.mark.usefixtures("next_release")
def test_a_connection_of_another_program_does_not_hinder_it(server_url: str) -> None:
    with psycopg.connect(server_url, application_name="psql"):
        assert finalize(server_url).now == 2


@pytest.mark.usefixtures("next_release")
def test_a_new_database_stands_at_the_newest_level(tmp_path: Path, empty_postgres_url: str) -> None:
    """Nobody older has it open."""
    for url in (f"sqlite:///{tmp_path / 'new.db'}", empty_postgres_url):
        database.upgrade(url)
        assert written(url) == (2, True)


def test_a_file_without_this_releases_schema_is_not_finalized(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with pytest.raises(StoreUnavailable, match="there is none yet"):
        finalize(url)
    database.upgrade(url)
    with sqlite3.connect(tmp_path / "log.db") as file:
        file.execute("UPDATE alembic_version SET version_num = '0002_limits'")
    file.close()
    with pytest.raises(StoreUnavailable, match="db upgrade"):
        finalize(url)


def test_a_server_without_this_releases_schema_is_not_finalized(empty_postgres_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="db upgrade"):
        finalize(empty_postgres_url)


@pytest.mark.usefixtures("next_release")
def test_a_lowered_payload_is_read_as_it_was() -> None:
    """Down for the release before, and up again by its upcaster."""
    version, payload = event_levels.lowered("RunCancelled", 2, '{"by":"me","reason":"x","released":[]}', 1)
    assert (version, msgspec.json.decode(payload)) == (1, {"by": "me", "released": []})
    assert event_levels.lowered("RunCancelled", 2, payload, 2) == (2, payload)
    assert event_levels.lowered("RunFailed", 1, "{}", 1) == (1, "{}")


@pytest.mark.usefixtures("next_release")
def test_the_command_says_what_it_did(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The level before and now."""
    monkeypatch.setattr("sys.argv", ["model-orchestrator", "db", "finalize", "--database", url, "--json"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    out, err = capsys.readouterr()
    assert not ended.value.code
    assert msgspec.json.decode(out) == {"database": url, "level_before": 1, "level": 2}
    assert err == f"{url} is at level 2 of events; it stood at 1\n"
