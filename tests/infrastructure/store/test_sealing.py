"""Encrypted texts can be read whatever happened between the stores that wrote them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from model_orchestrator.application.ports import Content, EventStore, VersionConflict
from model_orchestrator.domain.errors import ConfigurationError
from model_orchestrator.infrastructure.content_cipher import OuterKey, OuterKeys
from model_orchestrator.infrastructure.store.opening import open_store
from tests.contracts.appends import OpenStore, appended, on_stream
from tests.contracts.event_store import EventStoreContract
from tests.contracts.event_store_erasure import ErasureContract
from tests.contracts.store_process import erasing

KEYS = OuterKeys(OuterKey(bytes(32)))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.db'}"
    return str(request.getfixturevalue("postgres_url"))


class TestEncryptedStore(EventStoreContract, ErasureContract):
    """It does what a plain one does."""

    @pytest.fixture
    def open_store(self, url: str) -> OpenStore:
        return lambda: open_store(url, content_keys=KEYS)


def text(ref: str, run: str, *, shared: bool = False) -> Content:
    return Content(ref=ref, stream=run, subject="s", salt=b"" if shared else b"salt", body=f"the text {ref}")


async def readable(url: str, *refs: str) -> list[str]:
    """Those of the texts that a new store reads."""
    store = open_store(url, content_keys=KEYS)
    found = await store.contents(refs)
    await store.aclose()
    assert all(one.body == f"the text {ref}" for ref, one in found.items())
    return sorted(found)


def scenario(url: str, steps: Callable[[EventStore, EventStore], object]) -> None:
    """With two stores, as of two processes."""

    async def run() -> None:
        first, second = (open_store(url, content_keys=KEYS) for _ in range(2))
        try:
            await steps(first, second)  # type: ignore[misc]
        finally:
            await first.aclose()
            await second.aclose()

    asyncio.run(run())


def test_two_that_meet_a_subject_first_at_once(url: str) -> None:
    """Each makes a key of its own for it; neither is lost."""

    async def steps(first: EventStore, second: EventStore) -> None:
        runs = {f"run-{n}": store for n, store in enumerate([first, second] * 10)}
        texts = {run: [text(run.replace("run-", "c"), run), text("m", run, shared=True)] for run in runs}
        await asyncio.gather(*(appended(runs[run], on_stream(run, contents=texts[run])) for run in runs))
        assert len(await readable(url, "m", *(f"c{n}" for n in range(20)))) == 21

    scenario(url, steps)


def test_a_refused_append_keeps_its_keys_to_itself(url: str) -> None:
    """Its run's key was never stored, so the next text brings one again."""

    async def steps(first: EventStore, second: EventStore) -> None:
        refused = await first.append(on_stream("run-1", expected=5, contents=[text("a", "run-1")]))
        assert isinstance(refused, VersionConflict)
        await appended(first, on_stream("run-1", contents=[text("a", "run-1")]))
        await appended(first, on_stream("run-1", contents=[text("b", "run-1")]))
        assert await readable(url, "a", "b") == ["a", "b"]

    scenario(url, steps)


def test_a_subject_that_another_process_erased_is_met_again(url: str) -> None:
    """Its key is in memory, and gone from the database: what is stored next is read all the same."""

    async def steps(first: EventStore, second: EventStore) -> None:
        await appended(first, on_stream("run-1", contents=[text("a", "run-1"), text("m", "run-1", shared=True)]))
        await appended(second, erasing("run-1"))
        assert await readable(url, "a", "m") == []
        await appended(first, on_stream("run-2", contents=[text("b", "run-2"), text("m", "run-2", shared=True)]))
        assert await readable(url, "a", "b", "m") == ["b", "m"]

    scenario(url, steps)


def test_a_shared_message_outlives_the_run_that_brought_it(url: str) -> None:
    """Its key is its own."""

    async def steps(first: EventStore, second: EventStore) -> None:
        for store, run in ((first, "run-1"), (second, "run-2")):
            await appended(store, on_stream(run, contents=[text("m", run, shared=True)]))
        await appended(first, erasing("run-1"))
        assert await readable(url, "m") == ["m"]
        await appended(first, erasing("run-2"))
        assert await readable(url, "m") == []

    scenario(url, steps)


def test_the_catalogue_is_no_secret(url: str) -> None:
    """What is not of a run is stored as it is."""

    async def steps(first: EventStore, second: EventStore) -> None:
        await appended(first, on_stream("catalogue", contents=[replace(text("c", "catalogue"), body="prices")]))
        plain = open_store(url)
        assert (await plain.contents(["c"]))["c"].body == "prices"
        await plain.aclose()

    scenario(url, steps)


def test_without_the_key_nothing_is_added_in_plain(url: str) -> None:
    """And what was not asked to be decrypted is readable."""

    async def steps(first: EventStore, second: EventStore) -> None:
        await appended(first, on_stream("run-1", contents=[text("a", "run-1")]))
        plain = open_store(url)
        with pytest.raises(ConfigurationError):
            await plain.append(on_stream("run-2", contents=[text("b", "run-2")]))
        with pytest.raises(ConfigurationError):
            await plain.contents(["a"])
        assert await plain.contents(["b"]) == {}
        await appended(plain, on_stream("run-3"))
        await plain.aclose()

    scenario(url, steps)
