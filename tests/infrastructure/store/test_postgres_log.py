"""What makes the log on PostgreSQL trustworthy: one head, immutable events, a chain, checks for each caller alone."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from model_orchestrator.application.ports import (
    Append,
    Appended,
    BalanceHold,
    BudgetLimit,
    CacheEntry,
    Content,
    HoldRefused,
    IdempotencyClaim,
    StreamAppend,
    VersionConflict,
)
from model_orchestrator.domain.dataset import Example, Outcome
from model_orchestrator.domain.errors import EventIdReused, StoreUnavailable
from model_orchestrator.domain.events import Money
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.content_cipher import OuterKey, OuterKeys
from model_orchestrator.infrastructure.datasets import import_dataset
from model_orchestrator.infrastructure.store import postgres_connection
from model_orchestrator.infrastructure.store.dataset_tables import open_dataset_tables
from model_orchestrator.infrastructure.store.key_rotation import rotate
from model_orchestrator.infrastructure.store.postgres import PostgresStore
from model_orchestrator.infrastructure.store.postgres_batch import Batch
from model_orchestrator.infrastructure.store.postgres_calls import APPEND
from model_orchestrator.infrastructure.store.postgres_writer import PostgresWriter
from model_orchestrator.infrastructure.store.verify import verify_log
from tests.contracts.appends import appended, assert_sound, new_event, on_stream, whole_log
from tests.contracts.event_store_keys import a_batch_of_claims, assert_batch_left_its_rows, assert_batch_of_claims
from tests.contracts.event_store_shared import check
from tests.contracts.store_process import erasing, finished, go, start
from tests.postgres import PostgresServer, database_name


def hold(amount: int, scope: str = "global") -> BalanceHold:
    return BalanceHold(scope=scope, period="total", money=Money.REAL, amount=amount)


def call(connection: psycopg.Connection[Any], append: Append) -> None:
    """Append inside the connection's own transaction."""
    connection.execute("SELECT")  # begins the transaction
    batch = Batch()
    batch.add(append)
    call, arguments = batch.call()
    result = connection.pgconn.exec_params(call.statement.encode(), arguments, call.types, call.formats)
    assert result.status == psycopg.pq.ExecStatus.TUPLES_OK, result.error_message


def waiting_for_a_lock(connection: psycopg.Connection[Any], count: int) -> None:
    """Return once that many sessions of this database wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 20
    while connection.execute(query).fetchall() != [(count,)]:
        assert time.monotonic() < deadline, "nobody waits"


# ---- order ----


@pytest.mark.parametrize("commits", [True, False])
def test_a_reader_waits_for_a_writer_stalled_inside_its_append(postgres_url: str, commits: bool) -> None:
    """Whoever holds positions holds the head: later ones are not committed, and so not read, before it ends."""

    async def scenario() -> None:
        store = PostgresStore(postgres_url)
        await appended(store, on_stream("before"))
        with psycopg.connect(postgres_url) as stalled, psycopg.connect(postgres_url, autocommit=True) as observer:
            call(stalled, on_stream("stalled", new_event(), new_event()))
            others = [PostgresStore(postgres_url) for _ in range(3)]
            later = [asyncio.ensure_future(appended(other, on_stream("later"))) for other in others]
            seen = asyncio.ensure_future(read_until(store, 6 if commits else 4))
            await asyncio.to_thread(waiting_for_a_lock, observer, len(others))
            assert await store.head() == 1
            assert not any(task.done() for task in later)
            if commits:
                stalled.commit()
            else:
                stalled.rollback()
            await asyncio.gather(*later)
            streams = await asyncio.wait_for(seen, 20)
        assert streams == ["before", *(["stalled"] * 2 if commits else []), *["later"] * 3]
        await assert_sound(store)
        for one in (store, *others):
            await one.aclose()

    asyncio.run(scenario())


def test_a_reader_misses_nothing_while_an_insert_waits_for_a_table_lock(postgres_url: str) -> None:
    """The writer has its positions and is stopped at the insert itself; processes queue behind it."""
    writers = [start("append", postgres_url, f"w{n}", 10) for n in range(8)]

    async def scenario() -> None:
        store = PostgresStore(postgres_url)
        with psycopg.connect(postgres_url) as blocker, psycopg.connect(postgres_url, autocommit=True) as observer:
            blocker.execute("LOCK TABLE log.events IN SHARE MODE")  # readers pass, inserts wait
            seen = asyncio.ensure_future(read_until(store, 8 * 19))
            await asyncio.to_thread(go, writers)
            await asyncio.to_thread(waiting_for_a_lock, observer, 8)
            assert await store.head() == 0
            blocker.rollback()
            await asyncio.wait_for(seen, 30)
        await store.aclose()

    asyncio.run(scenario())
    finished(writers)
    check(postgres_url)


async def read_until(store: PostgresStore, count: int) -> list[str]:
    """The streams of the first `count` events of a tail, whose positions must follow each other."""
    streams: list[str] = []
    async for event in store.tail():
        streams.append(event.stream)
        assert event.position == len(streams)
        if len(streams) == count:
            break
    return streams


def test_positions_stay_gapless_after_rollbacks(postgres_url: str) -> None:
    async def scenario() -> None:
        store = PostgresStore(postgres_url)
        for number in range(1, 6):
            with psycopg.connect(postgres_url) as connection:
                call(connection, on_stream("undone", new_event(), new_event()))
                connection.rollback()
            assert (await appended(store, on_stream("kept"))).first_position == number
        await assert_sound(store)
        await store.aclose()

    asyncio.run(scenario())


def test_recorded_at_never_runs_backwards(postgres_url: str) -> None:
    """A database clock that was ahead is waited for, not believed."""

    async def scenario() -> None:
        store = PostgresStore(postgres_url)
        await appended(store, on_stream("a"))
        future = (time.time_ns() // 1000) + 3_600_000_000
        with psycopg.connect(postgres_url) as connection:
            connection.execute("UPDATE log.log_head SET recorded_at = %s", (future,))
        assert (await appended(store, on_stream("a"))).recorded_at == future
        await assert_sound(store)
        await store.aclose()

    asyncio.run(scenario())


# ---- one batch ----


def test_each_append_of_a_batch_gets_its_own_outcome(postgres_url: str) -> None:
    """Later ones see what earlier ones did; a refused or impossible one leaves no trace."""
    writer = PostgresWriter(postgres_url)
    known, again = new_event(), on_stream("again", expected=0)
    writer.append_batch([on_stream("known", known), on_stream("money", balances=[budget(100)])])
    content = Content(ref="c", stream="stale", subject=None, salt=b"s", body="text")
    outcomes = writer.append_batch(
        [
            on_stream("a", expected=0, balances=[hold(60)]),
            on_stream("a", expected=0, balances=[hold(1)], contents=[content]),
            on_stream("a", expected=1, balances=[hold(40, "other"), hold(41)]),
            on_stream("a", expected=1, balances=[hold(40)]),
            again,
            on_stream("known", replace(known, payload="[]")),
            again,
            on_stream("b", balances=[hold(1)]),
            on_stream("a", expected=2),
        ]
    )
    assert [type(outcome) for outcome in outcomes] == [
        Appended,
        VersionConflict,
        HoldRefused,
        Appended,
        Appended,
        EventIdReused,
        Appended,
        HoldRefused,
        Appended,
    ]
    assert outcomes[1] == VersionConflict("a", 0, 1)
    assert outcomes[2] == HoldRefused(scope="global", period="total", limit=100, held=60, settled=0, needed=41)
    assert outcomes[7] == HoldRefused(scope="global", period="total", limit=100, held=100, settled=0, needed=1)
    assert outcomes[6] == replace(outcomes[4], duplicate=True)  # type: ignore[type-var]
    writer.close()

    async def scenario() -> None:
        store = PostgresStore(postgres_url)
        assert [event.stream for event in await store.read_all()] == ["known", "money", "a", "a", "again", "a"]
        assert [(row.scope, row.held) for row in await store.balances()] == [("global", 100)]
        assert await store.contents(["c"]) == {}
        await assert_sound(store)
        await store.aclose()

    asyncio.run(scenario())


def test_a_key_claimed_in_a_batch_is_taken_for_the_rest_of_it(postgres_url: str) -> None:
    writer = PostgresWriter(postgres_url)
    appends, expected = a_batch_of_claims(hold(5))
    assert_batch_of_claims(writer.append_batch(appends), expected)
    writer.close()

    async def scenario() -> None:
        store = PostgresStore(postgres_url)
        await assert_batch_left_its_rows(store)
        await store.aclose()

    asyncio.run(scenario())


def budget(limit: int) -> BudgetLimit:
    return BudgetLimit(scope="global", period="total", limit=limit)


@pytest.mark.parametrize(
    "bad",
    [
        on_stream("zero\0stream"),
        on_stream("a", new_event('"\ud800"')),
        on_stream("a", contents=[Content(ref="\ud800", stream="a", subject=None, salt=b"", body="")]),
        on_stream("a", replace(new_event(), occurred_at=Timestamp(2**63))),
        on_stream("a", replace(new_event(), schema_version=2**31)),
        on_stream("s" * 1_000_000),
    ],
    ids=["NUL", "surrogate", "surrogate in a ref", "time out of range", "number out of range", "name out of range"],
)
def test_what_the_database_cannot_hold_fails_only_its_own_append(postgres_url: str, bad: Append) -> None:
    writer = PostgresWriter(postgres_url)
    first, failed, last = writer.append_batch([on_stream("good"), bad, on_stream("good")])
    assert isinstance(failed, StoreUnavailable)
    assert str(failed).endswith("nothing was written")
    assert (first, last) == (
        replace(first, first_position=1, last_position=1, versions=(1,)),  # type: ignore[type-var]
        replace(last, first_position=2, last_position=2, versions=(2,)),  # type: ignore[type-var]
    )
    writer.close()


def test_an_empty_stream_append_in_a_batch_of_several_streams_is_placed_right(postgres_url: str) -> None:
    """A conflict names the stream it met, wherever in its append it stands."""
    writer = PostgresWriter(postgres_url)
    writer.append_batch([on_stream("c")])
    parts = [StreamAppend(name, 0, (new_event(), new_event())) for name in ("a", "b", "c")]
    outcomes = writer.append_batch([on_stream("x"), Append(streams=tuple(parts)), on_stream("y")])
    assert outcomes[1] == VersionConflict("c", 0, 1)
    writer.close()


def test_a_worker_of_an_earlier_release_appends_beside_this_one(postgres_url: str) -> None:
    """It passes every list, without their names."""

    async def scenario() -> None:
        store = PostgresStore(postgres_url)
        places = ", ".join(f"${number}" for number in range(1, len(APPEND.types) + 1))
        statement = f"SELECT * FROM log.append_events_v1({places})"
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            one = connection.execute("SELECT count(*) FROM pg_proc WHERE proname = 'append_events_v1'").fetchall()
            assert one == [(1,)]  # other parameters would make a second function beside it
            for number in range(1, 6, 2):
                await appended(store, on_stream("a", expected=number - 1, balances=[hold(3)]))
                batch = Batch()
                batch.add(everything(f"text-{number}", number))
                call, arguments = batch.call()
                assert (call, len(arguments)) == (APPEND, len(APPEND.types))
                result = connection.pgconn.exec_params(statement.encode(), arguments, call.types, call.formats)
                assert result.get_value(0, 0) == b"{0}"
        assert [event.position for event in await whole_log(store)] == list(range(1, 7))
        assert [balance.held for balance in await store.balances()] == [3 * (3 + 4)]
        assert len(await store.contents([f"text-{number}" for number in range(1, 6, 2)])) == 3
        await assert_sound(store)
        await store.aclose()

    asyncio.run(scenario())


def everything(name: str, expected: int) -> Append:
    """An append that has something for every list."""
    return replace(
        on_stream(
            "a",
            expected=expected,
            contents=[Content(ref=name, stream="a", subject=None, salt=b"", body=name)],
            balances=[hold(4)],
        ),
        claim=IdempotencyClaim(owner="local", key=name, fingerprint=b"f", run="a"),
        cache=CacheEntry(owner="local", fingerprint=name.encode(), run="a", attempt=1, expires_at=Timestamp(1)),
    )


@pytest.mark.parametrize("left_out", [0, 1, 2, 3])
def test_an_append_with_any_of_the_lists_is_recorded_whole(postgres_url: str, left_out: int) -> None:
    """A list that nobody has something for is not passed."""
    fields = ("contents", "balances", "claim", "cache")
    writer = PostgresWriter(postgres_url)
    empty: dict[str, Any] = {"contents": (), "balances": (), "claim": None, "cache": None}
    less = replace(everything("text", 0), **{fields[left_out]: empty[fields[left_out]]})
    more = replace(on_stream("b"), **{fields[left_out]: getattr(everything("text", 0), fields[left_out])})
    outcomes = writer.append_batch([less]) + writer.append_batch([more])
    assert [type(outcome) for outcome in outcomes] == [Appended, Appended]
    tables = ("contents", "balances", "idempotency_keys", "cached_answers", "content_uses")
    with psycopg.connect(postgres_url) as connection:
        counts = [connection.execute(f"SELECT count(*) FROM log.{table}".encode()).fetchall() for table in tables]
    assert counts == [[(1,)]] * len(tables)
    writer.close()


# ---- money ----


def test_holds_of_many_stores_never_pass_the_limit(postgres_url: str) -> None:
    stores = [PostgresStore(postgres_url) for _ in range(4)]
    outcomes: list[object] = []

    async def holds(store: PostgresStore) -> None:
        appends = (store.append(on_stream(f"run-{id(store)}-{n}", balances=[hold(7)])) for n in range(25))
        outcomes.extend(await asyncio.gather(*appends))
        await store.aclose()

    PostgresWriter(postgres_url).append_batch([on_stream("money", balances=[budget(300)])])
    threads = [threading.Thread(target=lambda store=store: asyncio.run(holds(store))) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 42
    assert len(outcomes) == 100
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT held FROM log.balances").fetchall() == [(294,)]


# ---- immutable, and provably so ----


CHANGES = ("UPDATE log.events SET actor = 'x'", "DELETE FROM log.events", "TRUNCATE log.events")


@pytest.mark.parametrize("change", CHANGES)
def test_not_even_a_superuser_changes_an_event_by_accident(postgres_url: str, change: str) -> None:
    PostgresWriter(postgres_url).append_batch([on_stream("a")])
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="immutable"):
            connection.execute(change)
        assert connection.execute("SELECT count(*) FROM log.events").fetchall() == [(1,)]


@pytest.fixture
def role(postgres: PostgresServer, postgres_url: str) -> Any:
    """A role that owns nothing and was given what the application needs."""
    name = f"app_{database_name(postgres_url)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN")
        connection.execute("SELECT log.grant_application(%s)", (name,))
    yield name
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {name}")
        connection.execute(f"DROP ROLE {name}")


def test_a_plain_role_imports_and_removes_data_sets(postgres_url: str, role: str) -> None:
    """These tables it writes itself; the log it can only read."""
    row = Example(
        id="1",
        task=None,
        prompt="hi",
        reference=None,
        input_tokens=None,
        contaminated=False,
        outcomes={"small": Outcome(score=1)},
    )
    with closing(open_dataset_tables(postgres_url.replace("postgres@", f"{role}@"))) as tables:
        assert import_dataset(tables, "set", lambda: [row])[1]
        assert import_dataset(tables, "set", lambda: [row, replace(row, id="2")], is_replacement=True)[1]
        with tables.replacing("set") as writing:
            writing.remove()
        assert tables.every() == []


def test_a_plain_role_encrypts_erases_and_changes_the_key(postgres_url: str, role: str) -> None:
    """Through the functions alone: the tables it can only read."""
    mine = postgres_url.replace("postgres@", f"{role}@")
    old, new = OuterKey(bytes(32)), OuterKey(bytes([1]) * 32)

    async def scenario() -> None:
        store = PostgresStore(mine, content_keys=OuterKeys(old))
        for run in ("run-1", "run-2"):
            text = Content(ref=run, stream=run, subject=None, salt=b"s", body="a text")
            await appended(store, on_stream(run, contents=[text]))
        await appended(store, erasing("run-1"))
        assert rotate(mine, OuterKeys(new, old)) == 1
        await store.aclose()
        store = PostgresStore(mine, content_keys=OuterKeys(new))
        assert set(await store.contents(["run-1", "run-2"])) == {"run-2"}
        await store.aclose()

    asyncio.run(scenario())
    with psycopg.connect(mine, autocommit=True) as connection:
        for change in (
            "DELETE FROM log.contents",
            "DELETE FROM log.content_keys",
            "SELECT log.erase_contents_v1('{}')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(change)


def test_a_plain_role_appends_and_reads_but_has_no_right_to_change(postgres_url: str, role: str) -> None:
    mine = postgres_url.replace("postgres@", f"{role}@")
    changes = (*CHANGES, "INSERT INTO log.events SELECT * FROM log.events", "UPDATE log.balances SET held = 0")

    async def scenario() -> None:
        store = PostgresStore(mine)
        await appended(store, on_stream("a", balances=[hold(5)]))
        assert len(await whole_log(store)) == 1
        await store.aclose()

    asyncio.run(scenario())
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE log.events DISABLE TRIGGER ALL")  # what remains is the privilege
    with psycopg.connect(mine, autocommit=True) as connection:
        for change in changes:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
                connection.execute(change)


def test_a_role_without_the_grants_is_told_so(postgres: PostgresServer, postgres_url: str, role: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f"REVOKE EXECUTE ON FUNCTION log.append_events_v1 FROM {role}")
    (outcome,) = PostgresWriter(postgres_url.replace("postgres@", f"{role}@")).append_batch([on_stream("a")])
    assert isinstance(outcome, StoreUnavailable)
    assert "permission denied for function append_events_v1; nothing was written" in str(outcome)


FIELDS = {
    "stream": "stream || 'x'",
    "version": "version + 10",
    "event_id": r"overlay(event_id placing '\x00' from 16)",
    "type": "type || 'x'",
    "schema_version": "schema_version + 1",
    "occurred_at": "occurred_at + 1",
    "recorded_at": "recorded_at + 1",
    "causation_id": "''",
    "correlation_id": "correlation_id || 'x'",
    "actor": "upper(actor)",
    "payload": "payload || ' '",
    "event_hash": "set_byte(event_hash, 31, get_byte(event_hash, 31) # 1)",
    "chain_hash": "set_byte(chain_hash, 0, get_byte(chain_hash, 0) # 128)",
    "position": "4",
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_change_of_any_field_is_found(postgres_url: str, field: str) -> None:
    """Even by someone who can switch the trigger off."""

    async def scenario() -> None:
        store = PostgresStore(postgres_url)
        for _ in range(3):
            await appended(store, on_stream("a"))
        await assert_sound(store)
        with psycopg.connect(postgres_url) as connection:
            connection.execute("SET session_replication_role = replica")
            where = "version = 3" if field == "position" else "position = 2"
            connection.execute(f"UPDATE log.events SET {field} = {FIELDS[field]} WHERE {where}")
        assert await verify_log(store)
        await store.aclose()

    asyncio.run(scenario())


def test_a_missing_event_is_found_also_at_the_end(postgres_url: str) -> None:
    async def scenario() -> None:
        store = PostgresStore(postgres_url)
        await appended(store, on_stream("a", new_event(), new_event()))
        with psycopg.connect(postgres_url) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute("DELETE FROM log.events WHERE position = 2")
        assert await verify_log(store) == ["position 2: missing; the log's head is 2"]
        await store.aclose()

    asyncio.run(scenario())


def test_a_stalled_head_is_an_error_in_the_end(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever behind a session that keeps the head."""
    monkeypatch.setattr(postgres_connection, "LOCK_TIMEOUT", 10)
    writer = PostgresWriter(postgres_url)
    with psycopg.connect(postgres_url) as stalled:
        call(stalled, on_stream("stalled"))
        (outcome,) = writer.append_batch([on_stream("a")])
    assert isinstance(outcome, StoreUnavailable)
    assert "lock timeout; nothing was written" in str(outcome)
    writer.close()
