"""What every event store must do; each adapter's test module subclasses this suite and brings `open_store`."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from model_orchestrator.application.ports import (
    Appended,
    Content,
    EventStore,
    Expected,
    ExpectedVersion,
    LogEnd,
    StoredContent,
    StreamAppend,
    VersionConflict,
)
from model_orchestrator.domain.errors import EventIdReused, StoreUnavailable
from model_orchestrator.infrastructure.store.chain import GENESIS, chain_hash, event_hash

from .appends import (
    OpenStore,
    appended,
    assert_sound,
    closing,
    new_event,
    on_stream,
    on_streams,
    success,
    whole_log,
    with_store,
)


class EventStoreContract:
    """`open_store` returns a function; each call opens a store on the test's own, at first empty, database."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        raise NotImplementedError

    # ---- append ----

    @with_store
    async def test_an_empty_log_has_head_0(self, store: EventStore) -> None:
        assert await store.head() == 0
        assert await store.read_all() == []

    @with_store
    async def test_a_family_is_every_event_of_the_streams_that_begin_so(self, store: EventStore) -> None:
        """In order of position, and no other's: not those that a pattern or another order of letters would find."""
        assert await store.read_family("key-") == []
        streams = ("key-b", "run-1", "key-a", "key", "key.", "Key-a", "kex-z", "key-", "key-\U0010ffff", "kez", "key-b")
        for stream in streams:
            await appended(store, on_stream(stream))
        found = await store.read_family("key-")
        assert [event.stream for event in found] == ["key-b", "key-a", "key-", "key-\U0010ffff", "key-b"]
        assert list(found) == [event for event in await whole_log(store) if event.stream.startswith("key-")]
        assert await store.read_family("key-", after=found[1].position) == found[2:]
        assert await store.read_family("key-", after=found[-1].position) == []

    @with_store
    async def test_positions_and_versions_count_from_1(self, store: EventStore) -> None:
        first = await appended(store, on_stream("a", new_event(), new_event()))
        second = await appended(store, on_stream("b"))
        third = await appended(store, on_stream("a"))
        assert [(r.first_position, r.last_position, r.versions) for r in (first, second, third)] == [
            (1, 2, (2,)),
            (3, 3, (1,)),
            (4, 4, (3,)),
        ]
        assert await store.head() == 4
        assert first.recorded_at <= second.recorded_at <= third.recorded_at

    @with_store
    async def test_an_event_reads_back_as_it_was_written_with_its_hashes(self, store: EventStore) -> None:
        event = replace(
            new_event('{"text":"é ☃ 𝄞","n":1}'),
            causation_id="cause",
            actor="key:ü",
            correlation_id="r",
            schema_version=7,
        )
        result = await appended(store, on_stream("run-1", event))
        (read,) = await store.read_stream("run-1")
        for field in event.__dataclass_fields__:
            assert getattr(read, field) == getattr(event, field)
        assert (read.position, read.stream, read.version, read.recorded_at) == (1, "run-1", 1, result.recorded_at)
        assert read.event_hash == event_hash("run-1", event)
        assert read.chain_hash == chain_hash(GENESIS, 1, 1, read.recorded_at, read.event_hash)

    @with_store
    async def test_several_streams_are_written_together(self, store: EventStore) -> None:
        result = await appended(
            store,
            on_streams(
                StreamAppend("a", Expected.NONE, (new_event(), new_event())),
                StreamAppend("b", Expected.NONE, (new_event(),)),
            ),
        )
        assert (result.first_position, result.last_position, result.versions) == (1, 3, (2, 1))

    @with_store
    async def test_a_conflict_on_one_stream_writes_none_of_them(self, store: EventStore) -> None:
        await appended(store, on_stream("b"))
        content = Content(ref="c", stream="a", subject=None, salt=b"s", body="text")
        result = await store.append(
            on_streams(
                StreamAppend("a", Expected.NONE, (new_event(),)),
                StreamAppend("b", Expected.NONE, (new_event(),)),
                contents=(content,),
            )
        )
        assert result == VersionConflict("b", Expected.NONE, 1)
        assert await store.head() == 1
        assert await store.contents(["c"]) == {}

    @with_store
    async def test_an_append_may_ask_that_the_log_ends_where_it_was_read(self, store: EventStore) -> None:
        """Anything appended since, to whatever stream, is a conflict; also in the same batch."""
        for head in (0, 1):
            await appended(store, on_stream("a", expected=LogEnd(head)))
        for stale in (0, 1, 3):
            assert await store.append(on_stream("a", expected=LogEnd(stale))) == VersionConflict("a", LogEnd(stale), 2)
        assert await store.head() == 2
        results = await asyncio.gather(*(store.append(on_stream(name, expected=LogEnd(2))) for name in "bcd"))
        assert sum(isinstance(result, Appended) for result in results) == 1
        assert await store.head() == 3

    @pytest.mark.parametrize(
        ("expected", "fits_empty", "fits_two"),
        [
            (Expected.ANY, True, True),
            (Expected.NONE, True, False),
            (Expected.EXISTS, False, True),
            (0, True, False),
            (1, False, False),
            (2, False, True),
            (3, False, False),
        ],
    )
    def test_expected_versions(
        self, open_store: OpenStore, expected: ExpectedVersion, fits_empty: bool, fits_two: bool
    ) -> None:
        async def scenario() -> None:
            store = open_store()
            await appended(store, on_stream("two", new_event(), new_event()))
            for stream, actual, fits in (("empty", 0, fits_empty), ("two", 2, fits_two)):
                result = await store.append(on_stream(stream, expected=expected))
                if fits:
                    success(result)
                else:
                    assert result == VersionConflict(stream, expected, actual)
            await store.aclose()

        asyncio.run(scenario())

    @with_store
    async def test_20_parallel_appends_to_one_stream_all_succeed_and_none_is_lost(self, store: EventStore) -> None:
        events = [new_event(str(n)) for n in range(20)]
        results = await asyncio.gather(*(appended(store, on_stream("a", event)) for event in events))
        assert sorted(result.versions[0] for result in results) == list(range(1, 21))
        assert {event.event_id for event in await store.read_stream("a")} == {event.event_id for event in events}

    @with_store
    async def test_of_parallel_exact_appends_one_wins(self, store: EventStore) -> None:
        results = await asyncio.gather(*(store.append(on_stream("a", expected=0)) for _ in range(20)))
        conflicts = [result for result in results if isinstance(result, VersionConflict)]
        assert len(conflicts) == 19
        assert {conflict.actual for conflict in conflicts} == {1}

    @with_store
    async def test_a_stale_version_or_a_reused_id_fails_only_its_own_caller(self, store: EventStore) -> None:
        known = new_event()
        await appended(store, on_stream("known", known))
        appends = [on_stream(f"s{n}", expected=0) for n in range(20)]
        appends[7] = on_stream("known", expected=0)
        appends[13] = on_stream("other", replace(known, payload="[]"))
        results = await asyncio.gather(*(store.append(append) for append in appends), return_exceptions=True)
        assert results[7] == VersionConflict("known", 0, 1)
        assert isinstance(results[13], EventIdReused)
        positions = [success(result).first_position for n, result in enumerate(results) if n not in (7, 13)]
        assert sorted(positions) == list(range(2, 20))
        assert await store.head() == 19

    @with_store
    async def test_an_append_needs_events_and_names_a_stream_once(self, store: EventStore) -> None:
        two = StreamAppend("a", Expected.ANY, (new_event(),))
        for bad in (on_streams(), on_streams(StreamAppend("a", 0, ())), on_streams(two, two)):
            with pytest.raises(ValueError, match="append"):
                await store.append(bad)
        assert await store.head() == 0

    @with_store
    async def test_a_cancelled_caller_leaves_the_others_alone(self, store: EventStore) -> None:
        tasks = [asyncio.ensure_future(store.append(on_stream(f"s{n}"))) for n in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for n, result in enumerate(results):
            if n % 3:
                success(result)
        await appended(store, on_stream("after"))

    def test_threads_with_event_loops_of_their_own_share_a_store(self, open_store: OpenStore) -> None:
        store = open_store()
        failures: list[BaseException] = []

        async def appends(thread: int) -> None:
            await asyncio.gather(*(appended(store, on_stream(f"t{thread}-{n}")) for n in range(10)))
            await appended(store, on_stream("shared"))
            await store.read_all()

        def work(thread: int) -> None:
            try:
                asyncio.run(appends(thread))
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []

        async def scenario() -> None:
            assert len(await whole_log(store)) == 66
            await assert_sound(store)
            await store.aclose()

        asyncio.run(scenario())

    # ---- retries ----

    @with_store
    async def test_a_retried_append_gets_the_first_result_and_writes_nothing(self, store: EventStore) -> None:
        append = on_streams(
            StreamAppend("a", Expected.NONE, (new_event(), new_event())), StreamAppend("b", 0, (new_event(),))
        )
        first = await appended(store, append)
        await appended(store, on_stream("a"))
        assert await appended(store, append) == replace(first, duplicate=True)
        assert await store.head() == 4

    @with_store
    async def test_parallel_retries_write_once(self, store: EventStore) -> None:
        append = on_stream("a", expected=0)
        results = await asyncio.gather(*(appended(store, append) for _ in range(10)))
        assert sorted(result.duplicate for result in results) == [False] + [True] * 9
        assert len({(result.first_position, result.versions, result.recorded_at) for result in results}) == 1
        assert await store.head() == 1

    @with_store
    async def test_an_id_with_other_content_is_refused(self, store: EventStore) -> None:
        event = new_event()
        await appended(store, on_stream("a", event))
        for other in (
            on_stream("a", replace(event, payload='{"other":1}')),
            on_stream("b", event),
            on_stream("a", replace(event, actor="another")),
            on_stream("c", new_event(), replace(event, type="Other")),
        ):
            with pytest.raises(EventIdReused):
                await store.append(other)
        assert await store.head() == 1

    @with_store
    async def test_a_partly_known_batch_is_refused(self, store: EventStore) -> None:
        event, later = new_event(), new_event()
        await appended(store, on_stream("a", event))
        with pytest.raises(EventIdReused):
            await store.append(on_stream("a", event, new_event()))
        await appended(store, on_stream("b"))
        await appended(store, on_stream("a", later))
        with pytest.raises(EventIdReused):
            await store.append(on_stream("a", event, later))
        assert await store.head() == 3

    @with_store
    async def test_an_id_twice_in_one_append_is_refused(self, store: EventStore) -> None:
        event = new_event()
        with pytest.raises(EventIdReused):
            await store.append(on_stream("a", event, event))
        assert await store.head() == 0

    # ---- reads ----

    @with_store
    async def test_a_stream_reads_in_order_from_a_version(self, store: EventStore) -> None:
        await appended(store, on_stream("a", *(new_event(str(n)) for n in range(5))))
        await appended(store, on_stream("b"))
        assert [event.payload for event in await store.read_stream("a")] == ["0", "1", "2", "3", "4"]
        assert [event.version for event in await store.read_stream("a", after=3)] == [4, 5]
        assert await store.read_stream("a", after=5) == []
        assert await store.read_stream("nobody") == []

    @with_store
    async def test_the_log_reads_in_pages_both_ways(self, store: EventStore) -> None:
        await appended(store, on_stream("a", *(new_event() for _ in range(7))))
        assert [event.position for event in await store.read_all(limit=3)] == [1, 2, 3]
        assert [event.position for event in await store.read_all(after=5, limit=3)] == [6, 7]
        assert [event.position for event in await store.read_backwards(limit=3)] == [7, 6, 5]
        assert [event.position for event in await store.read_backwards(before=3, limit=3)] == [2, 1]

    @with_store
    async def test_the_log_reads_by_type_and_by_prefix(self, store: EventStore) -> None:
        for stream in ("run-1", "run-2", "catalogue", "run_3", "ruo"):
            await appended(store, on_stream(stream, new_event(type="A"), new_event(type="B"), new_event(type="C")))
        by_type = await store.read_all(types=["A", "C"], limit=3)
        assert [(event.position, event.type) for event in by_type] == [(1, "A"), (3, "C"), (4, "A")]
        by_prefix = await store.read_all(stream_prefix="run-")
        assert [event.position for event in by_prefix] == [1, 2, 3, 4, 5, 6]
        both = await store.read_backwards(types=["B"], stream_prefix="run", limit=2)
        assert [event.stream for event in both] == ["run_3", "run-2"]
        assert await store.read_all(stream_prefix="%") == []

    @with_store
    async def test_a_tail_gives_what_is_there_and_then_what_comes(self, store: EventStore) -> None:
        await appended(store, on_stream("a", *(new_event() for _ in range(3))))
        tails = [store.tail(), store.tail(after=2)]
        assert [(await anext(tails[0])).position for _ in range(3)] == [1, 2, 3]
        assert (await anext(tails[1])).position == 3
        for position in range(4, 10):
            coming = asyncio.gather(*(anext(tail) for tail in tails))
            await asyncio.sleep(0)
            await appended(store, on_stream("b"))
            assert [event.position for event in await asyncio.wait_for(coming, 10)] == [position] * 2
        for tail in tails:
            await tail.aclose()  # type: ignore[attr-defined]

    @with_store
    async def test_a_tail_beside_many_appends_misses_none(self, store: EventStore) -> None:
        async def read(count: int) -> list[int]:
            positions: list[int] = []
            async for event in store.tail():
                positions.append(event.position)
                if len(positions) == count:
                    break
            return positions

        reading = asyncio.ensure_future(read(300))
        for _ in range(10):
            await asyncio.gather(*(appended(store, on_stream(f"s{n}", new_event(), new_event())) for n in range(15)))
        assert await asyncio.wait_for(reading, 20) == list(range(1, 301))

    # ---- contents and the secret ----

    @with_store
    async def test_contents_are_kept_beside_the_events(self, store: EventStore) -> None:
        body = "line\nline \x00 é ☃ 𝄞 \ufffe"
        content = Content(ref="r1", stream="a", subject="s", salt=b"\x00salt", body=body)
        empty = Content(ref="r2", stream="a", subject=None, salt=b"", body="")
        await appended(store, on_stream("a", contents=[content, empty]))
        assert await store.contents(["r1", "r2", "gone"]) == {
            "r1": StoredContent(ref="r1", subject="s", salt=b"\x00salt", body=body),
            "r2": StoredContent(ref="r2", subject=None, salt=b"", body=""),
        }
        assert await store.contents([]) == {}

    @with_store
    async def test_a_stored_content_is_left_as_it_is(self, store: EventStore) -> None:
        content = Content(ref="r", stream="a", subject="s", salt=b"1", body="first")
        await appended(store, on_stream("a", contents=[content, content]))
        await appended(store, on_stream("b", contents=[replace(content, stream="b", body="second", salt=b"2")]))
        assert (await store.contents(["r"]))["r"].body == "first"

    @with_store
    async def test_many_contents_read_at_once(self, store: EventStore) -> None:
        many = [Content(ref=f"r{n}", stream="a", subject=None, salt=b"s", body=str(n)) for n in range(1200)]
        await appended(store, on_stream("a", contents=many))
        assert len(await store.contents([content.ref for content in many])) == 1200

    @with_store
    async def test_the_content_secret_is_made_once(self, store: EventStore) -> None:
        secrets = await asyncio.gather(*(store.content_secret() for _ in range(5)))
        assert len(set(secrets)) == 1
        assert len(secrets[0]) == 32

    # ---- closing ----

    @with_store
    @closing
    async def test_a_closed_store_says_so(self, store: EventStore) -> None:
        await appended(store, on_stream("a"))
        tail = store.tail(after=1)
        waiting = asyncio.ensure_future(anext(tail))
        await asyncio.sleep(0)
        await store.aclose()
        await store.aclose()
        for call in (store.append(on_stream("a")), store.head(), asyncio.wait_for(waiting, 10)):
            with pytest.raises(StoreUnavailable):
                await call

    @with_store
    @closing
    async def test_closing_finishes_what_is_under_way(self, store: EventStore) -> None:
        tasks = [asyncio.ensure_future(store.append(on_stream(f"s{n}"))) for n in range(20)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await store.aclose()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, StoreUnavailable) or success(result)
