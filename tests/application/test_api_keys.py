"""API keys on every store: who holds one is known at once everywhere, and a token is only in its holder's hands."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.application import key_book
from model_orchestrator.application.api_keys import create_key, keys_of, list_keys, revoke_key
from model_orchestrator.application.key_book import KeyBook, Keys, caller, may_see, visible
from model_orchestrator.application.limits import RateLimiter
from model_orchestrator.application.ports import Appended, EventStore, RecordedEvent
from model_orchestrator.application.world import Caller
from model_orchestrator.domain.api_key import ApiKey, evolve_key, token_hash
from model_orchestrator.domain.errors import InvalidRequest, KeyRefused
from model_orchestrator.domain.events import KeyCreated, KeyEvent, KeyRevoked, KeyScope
from model_orchestrator.domain.filters import RUN_FIELDS, Compare, Op
from model_orchestrator.domain.run import Run, evolve
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.limits.memory import MemoryRateLimiter
from model_orchestrator.infrastructure.limits.opening import open_rate_limiter
from model_orchestrator.infrastructure.run_log import StoredRunLog
from model_orchestrator.infrastructure.store.memory import MemoryStore
from model_orchestrator.infrastructure.store.opening import open_store
from tests.contracts.appends import appended, assert_sound, on_stream
from tests.scenario import started

from .world import SetClock

TOKEN, OTHER = "mo-sentinel-of-the-token", "mo-sentinel-of-another"


class Place:
    """A database, and what uses it: each opening is as another process has it, but for the memory store."""

    def __init__(self, url: str) -> None:
        self._memory = MemoryStore()
        self.url = url
        self._opened: list[EventStore] = []
        self._limiters: list[RateLimiter] = []
        self.store = self.opened()
        self.log = StoredRunLog(self.store, SetClock(), actor="test")

    def opened(self) -> EventStore:
        self._opened.append(self._memory if self.url == "memory" else open_store(self.url))
        return self._opened[-1]

    async def aclose(self) -> None:
        for limiter in self._limiters:
            await limiter.aclose()
        for store in self._opened:
            await store.aclose()

    def book(self, store: EventStore | None = None) -> KeyBook:
        store = store or self.store
        limiter = MemoryRateLimiter() if self.url == "memory" else open_rate_limiter(self.url)
        self._limiters.append(limiter)
        return KeyBook(store, StoredRunLog(store, SetClock(), actor="test"), lambda: limiter)

    async def create(self, name: str = "web", token: str = TOKEN, **more: Any) -> ApiKey:
        return await create_key(self.store, self.log, id=f"id-of-{token}", token=token, name=name, **more)

    async def revoke(self, key: str = "web") -> ApiKey:
        return await revoke_key(self.store, self.log, key, by="test")


Play = Callable[[Callable[[Place], Awaitable[None]]], None]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Runs a scenario on a database of its own; afterwards its log must be sound."""
    url = {"memory": "memory", "sqlite": f"sqlite:///{tmp_path / 'log.db'}"}.get(request.param)

    def run(scenario: Callable[[Place], Awaitable[None]]) -> None:
        async def played() -> None:
            place = Place(url or request.getfixturevalue("postgres_url"))
            await scenario(place)
            await assert_sound(place.store)
            await place.aclose()

        asyncio.run(played())

    return run


async def refused(book: KeyBook, token: str | None) -> str:
    """What who comes with the token is told."""
    with pytest.raises(KeyRefused) as error:
        await book.authenticate(token)
    return str(error.value)


def test_a_token_opens_what_its_key_is_for_and_nothing_else_does(play: Play) -> None:
    async def scenario(place: Place) -> None:
        made = await place.create(scopes=[KeyScope.READ], models=["gpt-4o", "gpt-4o"], requests_a_minute=60)
        other = await place.create("other", OTHER)
        book = place.book()
        assert await book.authenticate(TOKEN) == made
        assert await book.authenticate(OTHER) == other
        assert (made.scopes, made.models, made.requests_a_minute) == ((KeyScope.READ,), ("gpt-4o",), 60)
        assert caller(made) == Caller(owner="web", models=("gpt-4o",))
        for wrong in (TOKEN[:-1], TOKEN + " ", TOKEN.upper(), made.token_hash, made.id, "web", "\ud800", "x" * 10**6):
            assert "not known here" in await refused(book, wrong)
        for missing in (None, ""):
            assert "Authorization: Bearer" in await refused(book, missing)

    play(scenario)


def test_a_key_is_in_force_in_every_book_from_its_event_to_its_end(play: Play) -> None:
    """Books that were read before it came, and among other events."""

    async def scenario(place: Place) -> None:
        books = [place.book(), place.book(place.opened())]
        for book in books:
            await refused(book, TOKEN)
        for number in range(1, 4):
            token = f"{TOKEN}-{number}"
            await appended(place.store, on_stream(f"run-{number}"))
            await place.create(token=token)
            await appended(place.store, on_stream(f"run-{number}"))
            for book in books:
                assert (await book.authenticate(token)).id == f"id-of-{token}"
                assert [key.name for key in await book.in_force()] == ["web"]
            await place.revoke()
            for book in books:
                assert "was revoked on 2" in await refused(book, token)
                assert await book.in_force() == ()

    play(scenario)


def test_a_name_has_one_key_at_a_time_whoever_is_first(play: Play) -> None:
    async def scenario(place: Place) -> None:
        made = await asyncio.gather(*(place.create(token=f"{TOKEN}-{n}") for n in range(5)), return_exceptions=True)
        assert len([one for one in made if isinstance(one, ApiKey)]) == 1
        (told,) = {str(one) for one in made if isinstance(one, InvalidRequest)}
        assert told == "there is a key web already: take another name, or `keys revoke web` first"
        assert len(await list_keys(place.store, place.log)) == 1
        ended = await asyncio.gather(*(place.revoke() for _ in range(5)), return_exceptions=True)
        assert len([one for one in ended if isinstance(one, ApiKey)]) == 1
        assert "is revoked already" in str(next(one for one in ended if isinstance(one, InvalidRequest)))

    play(scenario)


def test_once_a_key_was_made_one_is_needed(play: Play) -> None:
    """Revoking the last one shuts the door; it does not take it off its hinges."""

    async def scenario(place: Place) -> None:
        book = place.book()
        assert not await book.any_keys()
        await place.create()
        assert await book.any_keys()
        await place.revoke()
        assert await book.any_keys()
        assert await place.book().any_keys()
        assert await book.in_force() == ()

    play(scenario)


def test_a_key_is_revoked_by_name_or_id_and_another_one_is_not_touched(play: Play) -> None:
    async def scenario(place: Place) -> None:
        key, other = await place.create(), await place.create("other", OTHER)
        with pytest.raises(InvalidRequest, match="there is no key 'we'"):
            await place.revoke("we")
        gone = await place.revoke(key.id)
        assert (gone.id, gone.is_in_force) == (key.id, False)
        again = await place.create(token=TOKEN + "-2")
        with pytest.raises(InvalidRequest, match="is revoked already"):
            await place.revoke(key.id)
        assert [one.id for one in await keys_of(place.store, place.log, "web")] == [key.id, again.id]
        assert (await place.revoke("web")).id == again.id
        assert [one.name for one in await place.book().in_force()] == [other.name]

    play(scenario)


def test_a_share_of_requests_is_counted_for_the_key_wherever_it_comes(play: Play) -> None:
    """Each of two processes would let the next one in by itself."""

    async def scenario(place: Place) -> None:
        limited, free = await place.create(requests_a_minute=1), await place.create("free", OTHER)
        book = place.book()
        assert await book.admit(limited) is None
        wait = await (book if place.url == "memory" else place.book()).admit(limited)
        assert wait is not None
        assert 55 < wait <= 60.1
        assert {await book.admit(free) for _ in range(9)} == {None}

    play(scenario)


def test_nothing_of_a_token_is_in_the_log_in_a_key_or_in_what_anybody_is_told(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(place: Place) -> None:
        token = "mo-" + secrets.token_urlsafe(32)
        key, book = await place.create(token=token), place.book()
        told = [repr(key), repr(await book.authenticate(token)), await refused(book, token[:-1])]
        await place.revoke()
        told.append(await refused(book, token))
        stored = [repr(event) for event in await place.store.read_all()]
        assert token_hash(token) in "".join(stored)
        assert token_hash(token) not in "".join(told)
        for part in (token, token[3:20], token[-16:]):
            assert part not in "".join((*stored, *told, caplog.text)).replace(f"id-of-{token}", "")

    with caplog.at_level(logging.DEBUG):
        play(scenario)


# ---- how a book reads and compares ----


class WatchedStore(MemoryStore):
    """Tells the positions of what was read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[int] = []

    async def read_family(self, prefix: str, *, after: int = 0) -> Sequence[RecordedEvent]:
        found = await super().read_family(prefix, after=after)
        self.reads += [event.position for event in found]
        return found


def test_what_was_read_is_not_read_again() -> None:
    """Nor is what is none of theirs, however much that is."""

    async def scenario() -> None:
        place = Place("memory")
        place._memory = place.store = store = WatchedStore()
        place.log = StoredRunLog(store, SetClock(), actor="test")
        for number in range(1200):
            await appended(store, on_stream(f"run-{number}"))
        await place.create()
        book = place.book()
        for _ in range(3):
            await book.authenticate(TOKEN)
        assert store.reads == [1201]
        for number in range(700):
            await appended(store, on_stream(f"run-{number}"))
        await place.create("other", OTHER)
        for _ in range(3):
            await book.authenticate(OTHER)
        assert store.reads == [1201, 1902]

    asyncio.run(scenario())


class InterruptedStore(MemoryStore):
    """Lets somebody else act right after a family was read."""

    interruption: Callable[[], Awaitable[object]] | None = None

    async def read_family(self, prefix: str, *, after: int = 0) -> Sequence[RecordedEvent]:
        found = await super().read_family(prefix, after=after)
        act, self.interruption = self.interruption, None
        if act is not None:
            await act()
        return found


def test_a_key_that_is_revoked_meanwhile_is_not_revoked_twice() -> None:
    """Nor is the name's next key taken for it."""

    async def scenario() -> None:
        place = Place("memory")
        place._memory = place.store = store = InterruptedStore()
        place.log = StoredRunLog(store, SetClock(), actor="test")
        await place.create()

        async def replaced() -> None:
            await place.revoke()
            await place.create(token=OTHER)

        store.interruption = replaced
        with pytest.raises(InvalidRequest, match="is revoked already"):
            await place.revoke(f"id-of-{TOKEN}")
        assert [event.type for event in await store.read_all()] == ["KeyCreated", "KeyRevoked", "KeyCreated"]

    asyncio.run(scenario())


def test_every_key_is_compared_whichever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """In constant time: how long an answer takes tells no key from another, nor from none."""
    compared: list[str] = []

    def watched(known: str, given: str) -> bool:
        compared.append(known)
        return hmac.compare_digest(known, given)

    class Watched:
        compare_digest = staticmethod(watched)

    monkeypatch.setattr(key_book, "hmac", Watched)

    async def scenario() -> None:
        place = Place("memory")
        made = [await place.create(f"name-{n}", f"{TOKEN}-{n}") for n in range(4)]
        await place.revoke("name-2")
        book = place.book()
        for token in (f"{TOKEN}-0", f"{TOKEN}-3", f"{TOKEN}-2", "nobody's"):
            compared.clear()
            try:
                await book.authenticate(token)
            except KeyRefused:
                assert token in (f"{TOKEN}-2", "nobody's")
            assert compared == [key.token_hash for key in made]

    asyncio.run(scenario())


def test_the_books_of_many_tasks_at_once_come_to_the_same() -> None:
    """Their reading interleaves; what one folded the others do not fold again."""

    async def scenario() -> None:
        place = Place("memory")
        book = place.book()
        for number in range(3):
            await place.create(f"name-{number}", f"{TOKEN}-{number}")
            found = await asyncio.gather(*(book.authenticate(f"{TOKEN}-{number}") for _ in range(20)))
            assert {key.name for key in found} == {f"name-{number}"}
            await place.revoke(f"name-{number}")
        assert len(await list_keys(place.store, place.log)) == 3

    asyncio.run(scenario())


# ---- laws ----

ids = st.sampled_from(["one", "two", "three"])
created = st.builds(
    KeyCreated,
    id=ids,
    name=st.sampled_from(["web", "mobile"]),
    token_hash=st.sampled_from(["a" * 64, "b" * 64]),
    scopes=st.just((KeyScope.RUN,)),
    models=st.none(),
    requests_a_minute=st.none(),
)
key_events = st.lists(st.one_of(created, st.builds(KeyRevoked, id=ids, by=st.just("test"))), max_size=12)


@given(key_events)
def test_a_key_is_what_its_first_events_say(sequence: list[KeyEvent]) -> None:
    """Total: nothing that is recorded is refused, a key never comes back, and its making never changes."""
    keys: dict[str, ApiKey | None] = {}
    for at, event in enumerate(sequence):
        keys[event.id] = evolve_key(keys.get(event.id), event, Timestamp(at))
    for id, key in keys.items():
        mine = [(at, one) for at, one in enumerate(sequence) if one.id == id]
        made = [(at, one) for at, one in mine if isinstance(one, KeyCreated)]
        if key is None:
            assert made == []
            continue
        assert (key.created_at, key.name) == (made[0][0], made[0][1].name)
        ends = [at for at, one in mine if isinstance(one, KeyRevoked) and at > made[0][0]]
        assert key.revoked_at == (ends[0] if ends else None)


steps = st.lists(st.tuples(st.sampled_from(["create", "revoke", "run", "look"]), st.integers(0, 2)), max_size=20)


@given(steps)
def test_a_book_that_looked_at_any_moment_knows_the_keys_in_force(sequence: list[tuple[str, int]]) -> None:
    """One that looked now and then, and one that reads it all at the end."""

    async def scenario() -> None:
        place, in_force, made = Place("memory"), {}, 0
        book = place.book()
        for what, number in sequence:
            name = f"name-{number}"
            if what == "create" and name not in in_force:
                made += 1
                in_force[name] = (await place.create(name, f"token-{made}")).id
            elif what == "revoke" and name in in_force:
                await place.revoke(name)
                del in_force[name]
            elif what == "run":
                assert isinstance(await place.store.append(on_stream("run-1")), Appended)
            elif what == "look":
                assert {key.name: key.id for key in await book.in_force()} == in_force
        for one in (book, place.book()):
            assert {key.name: key.id for key in await one.in_force()} == in_force
        assert len(await list_keys(place.store, place.log)) == made

    asyncio.run(scenario())


@given(key_events, st.data())
def test_entries_that_come_again_change_nothing(sequence: list[KeyEvent], data: st.DataObject) -> None:
    """A page that another task has folded already."""

    async def recorded() -> Sequence[RecordedEvent]:
        store = MemoryStore()
        log = StoredRunLog(store, SetClock(), actor="test")
        for event in sequence:
            await appended(store, on_stream("key-web", *log.new_events("key-web", [event])))
        return await store.read_all()

    entries = asyncio.run(recorded())
    log = StoredRunLog(MemoryStore(), SetClock(), actor="test")
    once, again = Keys(log), Keys(log)
    once.add(entries)
    for _ in range(3):
        again.add(entries[: data.draw(st.integers(0, len(entries)))])
    again.add(entries)
    assert (once.all, once.position) == (again.all, again.position)


# ---- what a key may see ----


def key(*scopes: KeyScope, name: str = "web") -> ApiKey:
    return ApiKey(
        id=name, name=name, token_hash="", scopes=scopes, models=None, requests_a_minute=None, created_at=Timestamp(0)
    )


def owned(owner: str) -> Run:
    return evolve(Run("run-1"), replace(started(), owner=owner))


def test_a_key_sees_its_own_runs_and_an_admins_sees_all() -> None:
    """Without keys there is nobody to tell apart."""
    mine, theirs, reader, admin = owned("web"), owned("other"), key(KeyScope.RUN, KeyScope.READ), key(KeyScope.ADMIN)
    assert (may_see(reader, mine), may_see(reader, theirs), may_see(reader, Run("run-2"))) == (True, False, False)
    assert may_see(admin, theirs)
    assert may_see(None, theirs)
    assert visible(admin) == visible(None) == ()
    assert visible(reader) == (Compare(RUN_FIELDS["owner"], Op.EQUAL, "web"),)


def test_an_admins_key_is_for_everything() -> None:
    assert all(key(KeyScope.ADMIN).may(scope) for scope in KeyScope)
    assert [key(KeyScope.READ).may(scope) for scope in KeyScope] == [False, True, False]
