"""What every event store must do when texts are erased."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from model_orchestrator.application.ports import Append, Content, EventStore
from model_orchestrator.infrastructure.store.opening import open_store as open_store_at

from .appends import OpenStore, appended, assert_sound, on_stream, whole_log, with_store
from .event_store_keys import NOW, caching, claim, claiming, entry, fingerprint
from .store_process import erasing, finished, go, start


def text(ref: str, run: str, body: str = "a text") -> Content:
    return Content(ref=ref, stream=run, subject=None, salt=b"", body=body)


class ErasureContract:
    """`open_store` as for EventStoreContract."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        raise NotImplementedError

    @with_store
    async def test_a_runs_texts_go_and_its_events_stay(self, store: EventStore) -> None:
        await appended(store, on_stream("run-1", contents=[text("a", "run-1"), text("b", "run-1")]))
        await appended(store, on_stream("run-2", contents=[text("c", "run-2")]))
        before = await whole_log(store)
        await appended(store, erasing("run-1"))
        assert set(await store.contents(["a", "b", "c"])) == {"c"}
        after = await whole_log(store)
        assert after[:-1] == before
        assert after[-1].stream == "contents"

    @with_store
    async def test_a_shared_text_goes_with_the_last_run_that_uses_it(self, store: EventStore) -> None:
        for run in ("run-1", "run-2", "run-3"):
            await appended(store, on_stream(run, contents=[text("shared", run)]))
        await appended(store, erasing("run-1"))
        await appended(store, erasing("run-3"))
        assert set(await store.contents(["shared"])) == {"shared"}
        await appended(store, erasing("run-2"))
        assert await store.contents(["shared"]) == {}

    @with_store
    async def test_a_shared_text_goes_when_all_its_runs_are_erased_together(self, store: EventStore) -> None:
        for run in ("run-1", "run-2"):
            await appended(store, on_stream(run, contents=[text("shared", run)]))
        await appended(store, erasing("run-1", "run-2", "run-unknown"))
        assert await store.contents(["shared"]) == {}

    @with_store
    async def test_an_erased_text_can_be_stored_again(self, store: EventStore) -> None:
        await appended(store, on_stream("run-1", contents=[text("shared", "run-1")]))
        await appended(store, erasing("run-1"))
        await appended(store, on_stream("run-2", contents=[text("shared", "run-2")]))
        assert (await store.contents(["shared"]))["shared"].body == "a text"

    @with_store
    async def test_keys_and_cached_answers_go_with_the_run(self, store: EventStore) -> None:
        for run in ("run-1", "run-2"):
            await appended(store, claiming(claim(run, key=run)))
            await appended(store, caching(entry(run, request=run)))
        await appended(store, erasing("run-1"))
        assert await store.idempotency("local", "run-1") is None
        assert await store.cached("local", fingerprint("run-1"), now=NOW) is None
        assert await store.idempotency("local", "run-2") is not None
        assert await store.cached("local", fingerprint("run-2"), now=NOW) is not None

    @with_store
    async def test_a_refused_erasure_destroys_nothing(self, store: EventStore) -> None:
        await appended(store, on_stream("run-1", contents=[text("a", "run-1")]))
        part = replace(erasing("run-1").streams[0], expected=7)
        await store.append(replace(erasing("run-1"), streams=(part,)))
        assert set(await store.contents(["a"])) == {"a"}

    @with_store
    async def test_an_erasure_counts_among_appends_of_the_same_moment(self, store: EventStore) -> None:
        """Many at once, so that they meet in batches: no append is lost, and only what was named is gone."""
        for n in range(20):
            await appended(store, on_stream(f"run-{n}", contents=[text(f"a{n}", f"run-{n}")]))
        appends: list[Append] = []
        for n in range(20):
            appends += [erasing(f"run-{n}"), on_stream(f"run-x{n}", contents=[text(f"b{n}", f"run-x{n}")])]
        await asyncio.gather(*(appended(store, one) for one in appends))
        refs = [f"{letter}{n}" for n in range(20) for letter in "ab"]
        assert set(await store.contents(refs)) == {f"b{n}" for n in range(20)}


class SharedErasureContract:
    """`database_url` names the test's own, at first empty, database."""

    @pytest.fixture
    def database_url(self) -> str:
        raise NotImplementedError

    def test_two_processes_store_and_erase_at_once(self, database_url: str) -> None:
        """Each erases its own runs, whose message both share: it is there as long as a run of either is."""
        asyncio.run(_opened_and_closed(database_url))
        processes = [start("erase", database_url, name, 20) for name in ("a", "b")]
        go(processes)
        finished(processes)
        asyncio.run(_checked(database_url, processes=2))

    def test_a_kill_leaves_a_run_whole_or_erased(self, database_url: str) -> None:
        """SIGKILL at a random moment: the texts are gone exactly where the event says so."""
        asyncio.run(_opened_and_closed(database_url))
        process = start("kill-erasing", database_url, 12)
        go([process])
        finished([process])
        asyncio.run(_checked(database_url))


async def _opened_and_closed(url: str) -> None:
    await open_store_at(url).aclose()


async def _checked(url: str, processes: int = 0) -> None:
    store = open_store_at(url)
    await assert_sound(store)
    log = await whole_log(store)
    runs = {event.stream for event in log if event.stream.startswith("run-")}
    erased = {run for event in log if event.stream == "contents" for run in json.loads(event.payload)["runs"]}
    assert runs
    assert erased
    if processes:
        assert erased == runs
    stored = await store.contents([*(f"text-{run}" for run in runs), "shared"])
    assert {ref for ref in stored if ref != "shared"} == {f"text-{run}" for run in runs - erased}
    assert ("shared" in stored) == bool(runs - erased)
    await store.aclose()
