"""PostgresPipeline: many statements at once, and what becomes of them when one fails or the connection breaks."""

from __future__ import annotations

import asyncio
import os

import psycopg
import pytest

from model_orchestrator.domain.errors import StoreUnavailable
from model_orchestrator.infrastructure.store.postgres_pipeline import PostgresPipeline
from model_orchestrator.infrastructure.store.postgres_reader import END_OF_FAMILY
from tests.benchmarks.filled_log import fill_server

from .cut_proxy import CutProxy

ECHO = "SELECT %s::bigint, %s::text"


def backends(url: str) -> int:
    with psycopg.connect(url) as connection:
        mine = "datname = current_database() AND application_name LIKE 'model-orchestrator%'"
        query = f"SELECT count(*) FROM pg_stat_activity WHERE {mine}"
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_each_gets_its_own_answer_over_one_connection(postgres_url: str) -> None:
    async def scenario() -> None:
        pipeline = PostgresPipeline(postgres_url)
        texts = [f"{number} {'x' * number * 97}\nä" for number in range(300)]
        answers = await asyncio.gather(*(pipeline.rows(ECHO, (number, text)) for number, text in enumerate(texts)))
        assert answers == [[(number, text)] for number, text in enumerate(texts)]
        assert backends(postgres_url) == 1
        named = "SELECT %(b)s::text, %(a)s::bigint + %(a)s, NULL::text WHERE %(b)s::text <> ''"
        assert await pipeline.rows(named, {"a": -2, "b": "two"}) == [("two", -4, None)]
        assert await pipeline.rows(named, {"a": 1, "b": ""}) == []
        await pipeline.aclose()
        with pytest.raises(StoreUnavailable, match="closed"):
            await pipeline.rows(ECHO, (1, "a"))

    asyncio.run(scenario())


def test_one_that_fails_fails_alone_and_may_be_asked_again(postgres_url: str) -> None:
    """It is prepared anew: a statement whose table came meanwhile finds it."""

    async def scenario() -> None:
        pipeline = PostgresPipeline(postgres_url)
        asked = [
            pipeline.rows(ECHO, (1, "a")),
            pipeline.rows("SELECT 7 FROM views.late"),
            pipeline.rows(ECHO, (2, "b")),
        ]
        first, failed, last = await asyncio.gather(*asked, return_exceptions=True)
        assert (first, last) == ([(1, "a")], [(2, "b")])
        assert isinstance(failed, StoreUnavailable)
        await pipeline.rows("CREATE TABLE views.late (n bigint)")
        await pipeline.rows("INSERT INTO views.late VALUES (%s)", (7,))
        assert await pipeline.rows("SELECT 7 FROM views.late") == [(7,)]
        await pipeline.aclose()

    asyncio.run(scenario())


def test_who_no_longer_waits_takes_no_answer_from_others(postgres_url: str) -> None:
    async def scenario() -> None:
        pipeline = PostgresPipeline(postgres_url)
        await pipeline.rows(ECHO, (0, ""))
        gone = asyncio.ensure_future(pipeline.rows(ECHO, (1, "gone")))
        await asyncio.sleep(0)
        gone.cancel()
        assert await pipeline.rows(ECHO, (2, "here")) == [(2, "here")]
        await pipeline.aclose()

    asyncio.run(scenario())


def test_a_connection_that_broke_while_idle_is_replaced_once(proxy: CutProxy, proxied_url: str) -> None:
    async def scenario() -> None:
        pipeline = PostgresPipeline(proxied_url)
        await pipeline.rows(ECHO, (0, ""))
        proxy.lose_next_answer = True
        answers = await asyncio.gather(*(pipeline.rows(ECHO, (number, "a")) for number in range(5)))
        assert answers == [[(number, "a")] for number in range(5)]
        proxy.lose_next_answer = proxy.refuse = True
        with pytest.raises(StoreUnavailable):
            await pipeline.rows(ECHO, (1, "a"))
        proxy.refuse = False
        assert await pipeline.rows(ECHO, (2, "b")) == [(2, "b")]
        await pipeline.aclose()

    asyncio.run(scenario())


def test_a_server_that_ends_the_connection_is_asked_again(postgres_url: str) -> None:
    async def scenario() -> None:
        pipeline = PostgresPipeline(postgres_url)
        ((backend,),) = await pipeline.rows("SELECT pg_backend_pid()")
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (backend,))
        ((other,),) = await pipeline.rows("SELECT pg_backend_pid()")
        assert other != backend
        await pipeline.aclose()

    asyncio.run(scenario())


def test_each_event_loop_and_each_fork_has_a_connection_of_its_own(postgres_url: str) -> None:
    pipeline = PostgresPipeline(postgres_url)

    async def backend() -> int:
        ((number,),) = await pipeline.rows("SELECT pg_backend_pid()")
        return int(number)

    async def scenario() -> None:
        mine = await backend()
        child = os.fork()
        if child == 0:  # says by its status whether it asked over a connection of its own
            pipeline.after_fork_in_child()
            os._exit(0 if asyncio.new_event_loop().run_until_complete(backend()) != mine else 1)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert await backend() == mine
        await pipeline.aclose()

    asyncio.run(scenario())


def test_what_cannot_be_sent_or_read_fails_alone(postgres_url: str) -> None:
    """libpq would cut a text at its first NUL, and a value nobody can read must not keep its caller waiting."""

    async def scenario() -> None:
        pipeline = PostgresPipeline(postgres_url)
        for unfit in ("run-1\0and more", None, True, b"bytes"):
            with pytest.raises(StoreUnavailable):
                await pipeline.rows("SELECT %s::text", (unfit,))
        unread = pipeline.rows("SELECT 1.5::numeric")
        answers = await asyncio.wait_for(
            asyncio.gather(unread, pipeline.rows(ECHO, (2, "b")), return_exceptions=True), 10
        )
        assert isinstance(answers[0], KeyError)
        assert answers[1] == [(2, "b")]
        await pipeline.aclose()

    asyncio.run(scenario())


def test_a_statement_that_fails_again_and_again_costs_the_server_no_memory(postgres_url: str) -> None:
    async def scenario() -> None:
        pipeline = PostgresPipeline(postgres_url)
        for _ in range(20):
            with pytest.raises(StoreUnavailable, match="division by zero"):
                await pipeline.rows("SELECT 1 / %s::bigint", (0,))
        assert await pipeline.rows("SELECT count(*) FROM pg_prepared_statements") == [(2,)]
        await pipeline.rows("DEALLOCATE ALL")
        with pytest.raises(StoreUnavailable, match="does not exist"):
            await pipeline.rows("SELECT 1 / %s::bigint", (1,))
        assert await pipeline.rows("SELECT 1 / %s::bigint", (1,)) == [(1,)]
        await pipeline.aclose()

    asyncio.run(scenario())


def test_a_loop_that_was_closed_leaves_no_connection_open(postgres_url: str) -> None:
    pipeline = PostgresPipeline(postgres_url)
    for number in range(3):
        assert asyncio.run(pipeline.rows(ECHO, (number, "a"))) == [(number, "a")]
    assert backends(postgres_url) == 1
    asyncio.run(pipeline.aclose())


def test_closing_from_another_loop_tells_who_waits_in_this_one(postgres_url: str) -> None:
    async def scenario() -> None:
        pipeline = PostgresPipeline(postgres_url)
        await pipeline.rows(ECHO, (0, ""))
        waiting = asyncio.ensure_future(pipeline.rows("SELECT 1 FROM pg_sleep(30)"))
        await asyncio.sleep(0)
        await asyncio.to_thread(asyncio.run, pipeline.aclose())
        with pytest.raises(StoreUnavailable, match="closed"):
            await asyncio.wait_for(waiting, 10)

    asyncio.run(scenario(), debug=True)  # which refuses what another thread does to a loop's futures


def test_closing_while_it_connects_leaves_no_connection_open(postgres_url: str) -> None:
    async def scenario() -> None:
        pipeline = PostgresPipeline(postgres_url)
        asked = asyncio.ensure_future(pipeline.rows(ECHO, (0, "")))
        await asyncio.sleep(0)
        await pipeline.aclose()
        with pytest.raises(StoreUnavailable, match="closed"):
            await asked
        assert backends(postgres_url) == 0

    asyncio.run(scenario())


def test_an_old_failure_to_connect_is_told_to_nobody(proxy: CutProxy, proxied_url: str) -> None:
    """Whoever was waiting gave up: the next one tries for itself."""

    async def scenario() -> None:
        pipeline = PostgresPipeline(proxied_url)
        proxy.refuse = True
        gone = asyncio.ensure_future(pipeline.rows(ECHO, (0, "")))
        await asyncio.sleep(0)
        (opening,) = pipeline._links.values()
        gone.cancel()
        await asyncio.gather(opening, gone, return_exceptions=True)
        proxy.refuse = False
        assert await pipeline.rows(ECHO, (1, "a")) == [(1, "a")]
        await pipeline.aclose()

    asyncio.run(scenario())


def test_who_tries_again_at_once_does_not_lose_the_new_connection(proxy: CutProxy, proxied_url: str) -> None:
    """Two wait in vain; the first begins anew before the second hears of it."""

    async def scenario() -> None:
        pipeline = PostgresPipeline(proxied_url)
        proxy.refuse = True

        async def twice() -> list[tuple[object, ...]]:
            with pytest.raises(StoreUnavailable):
                await pipeline.rows(ECHO, (1, "a"))
            proxy.refuse = False
            return await pipeline.rows(ECHO, (2, "b"))

        again, other = asyncio.ensure_future(twice()), asyncio.ensure_future(pipeline.rows(ECHO, (3, "c")))
        with pytest.raises(StoreUnavailable):
            await other
        assert await again == [(2, "b")]
        await pipeline.rows(ECHO, (4, "d"))
        assert backends(proxied_url) == 1
        await pipeline.aclose()

    asyncio.run(scenario())


def test_a_connection_that_broke_for_callers_who_are_gone_is_replaced(postgres_url: str) -> None:
    """The server said that it ends it, and its socket may still take what is sent."""

    async def scenario() -> None:
        pipeline = PostgresPipeline(postgres_url)
        ((backend,),) = await pipeline.rows("SELECT pg_backend_pid()")
        (opening,) = pipeline._links.values()
        opening.result()._break(psycopg.OperationalError("said to end"))
        ((other,),) = await asyncio.wait_for(pipeline.rows("SELECT pg_backend_pid()"), 10)
        assert other != backend
        await pipeline.aclose()

    asyncio.run(scenario())


def test_the_end_of_a_family_is_found_by_the_index_of_streams(postgres_url: str) -> None:
    """In a log of other events, however small it was when the statement was planned."""

    async def scenario() -> None:
        pipeline = PostgresPipeline(postgres_url)
        for _ in range(6):  # the sixth plan is the one that is kept
            assert await pipeline.rows(END_OF_FAMILY, ("key-", "key.")) == [(0,)]
        fill_server(postgres_url, 500)
        await pipeline.rows("ANALYZE log.events")
        await pipeline.rows("SET plan_cache_mode = force_generic_plan")
        await pipeline.rows(
            "PREPARE family (text, text) AS " + END_OF_FAMILY.replace("%s", "$1", 1).replace("%s", "$2")
        )
        plan = "\n".join(line for (line,) in await pipeline.rows("EXPLAIN EXECUTE family ('key-', 'key.')"))
        assert "uq_events_stream_version" in plan
        assert "pk_events" not in plan
        ((method,),) = await pipeline.rows("SELECT current_setting('enable_seqscan')")
        assert method == "off"
        await pipeline.aclose()

    asyncio.run(scenario())
