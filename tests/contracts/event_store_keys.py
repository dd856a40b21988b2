"""What every event store must do with idempotency keys, cached answers and the list of budgets."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from model_orchestrator.application.ports import (
    Append,
    Appended,
    BalanceChange,
    BalanceHold,
    CacheEntry,
    EventStore,
    Expected,
    ExpectedVersion,
    HoldRefused,
    IdempotencyClaim,
    KeyTaken,
    VersionConflict,
)
from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.store.opening import open_store as open_store_at

from .appends import OpenStore, appended, assert_sound, on_stream, with_store
from .event_store_balances import change, figures, hold, limit
from .event_store_shared import open_and_close
from .store_process import finished, go, start

NOW = Timestamp(1_800_000_000_000_000)
LATER = Timestamp(NOW + 60_000_000)
ODD_RUN = 'run-"1\\\n,é}'  # a name comes back as it is, whatever a database answers in
PROCESSES, CALLERS, KEYS = 4, 4, 25


def fingerprint(request: str) -> bytes:
    return hashlib.sha256(request.encode()).digest()


def claim(run: str, *, key: str = "k", owner: str = "local", request: str = "hello") -> IdempotencyClaim:
    return IdempotencyClaim(owner=owner, key=key, fingerprint=fingerprint(request), run=run)


def entry(
    run: str, *, request: str = "hello", owner: str = "local", attempt: int = 1, expires_at: Timestamp = LATER
) -> CacheEntry:
    return CacheEntry(owner=owner, fingerprint=fingerprint(request), run=run, attempt=attempt, expires_at=expires_at)


def claiming(
    it: IdempotencyClaim, *, expected: ExpectedVersion = Expected.NONE, balances: Sequence[BalanceChange] = ()
) -> Append:
    """The first append of the claim's run."""
    return replace(on_stream(it.run, expected=expected, balances=balances), claim=it)


def caching(it: CacheEntry, *, expected: ExpectedVersion = Expected.ANY) -> Append:
    return replace(on_stream(it.run, expected=expected), cache=it)


async def cached(store: EventStore, *, request: str = "hello", owner: str = "local") -> str | None:
    """The run whose answer is given now."""
    found = await store.cached(owner, fingerprint(request), now=NOW)
    return found.run if found is not None else None


def a_batch_of_claims(money: BalanceHold) -> tuple[list[Append], list[object]]:
    """Appends for one batch on an empty log, and what each comes to; `Appended` stands for any success."""
    won = claiming(claim(ODD_RUN))
    appends = [
        claiming(claim("run-0"), expected=Expected.EXISTS),
        claiming(claim("run-0"), balances=[limit(10), replace(money, amount=11)]),
        won,
        claiming(claim("run-2"), balances=[money]),
        claiming(claim("run-3", request="other")),
        claiming(claim("run-4", key="another")),
        claiming(claim("run-5", key="another"), expected=Expected.EXISTS, balances=[money]),
        claiming(claim("run-6", owner="somebody")),
        replace(caching(entry("run-7")), claim=claim("run-7", key="third")),
        replace(caching(entry("run-8"), expected=5), claim=claim("run-8", key="fourth")),
        caching(entry("run-9")),
        won,
    ]
    return appends, [
        VersionConflict("run-0", Expected.EXISTS, 0),
        HoldRefused(scope="global", period="total", limit=10, held=0, settled=0, needed=11),
        Appended,
        KeyTaken(run=ODD_RUN, same_request=True),
        KeyTaken(run=ODD_RUN, same_request=False),
        Appended,
        KeyTaken(run="run-4", same_request=True),
        Appended,
        Appended,
        VersionConflict("run-8", 5, 0),
        Appended,
        Appended,
    ]


def assert_batch_of_claims(outcomes: Sequence[object], expected: Sequence[object]) -> None:
    """Each append of `a_batch_of_claims` got what it must; the retry at the end got the first result."""
    assert [Appended if isinstance(outcome, Appended) else outcome for outcome in outcomes] == expected
    assert outcomes[-1] == replace(outcomes[2], duplicate=True)  # type: ignore[type-var]


async def assert_batch_left_its_rows(store: EventStore) -> None:
    for it in (claim(ODD_RUN), claim("run-4", key="another"), claim("run-6", owner="somebody")):
        assert await store.idempotency(it.owner, it.key) == it
    assert await store.idempotency("local", "fourth") is None
    assert await cached(store) == "run-9"
    assert await figures(store) == []
    assert await store.head() == 5
    await assert_sound(store)


class KeysContract:
    """The part of the event store's suite about keys, cached answers and the list of budgets."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        raise NotImplementedError

    # ---- idempotency keys ----

    @with_store
    async def test_a_claim_is_written_with_its_append(self, store: EventStore) -> None:
        it = claim("run-1", key="Zahlung ü 𝄞", owner="key:7")
        assert await store.idempotency(it.owner, it.key) is None
        await appended(store, claiming(it))
        assert await store.idempotency(it.owner, it.key) == it

    @pytest.mark.parametrize(("request_", "same"), [("hello", True), ("another request", False)])
    def test_a_taken_key_names_its_run_and_nothing_is_written(
        self, open_store: OpenStore, request_: str, same: bool
    ) -> None:
        async def scenario() -> None:
            store = open_store()
            await change(store, limit(100))
            await appended(store, claiming(claim("run-1"), balances=[hold(60)]))
            before = await store.head()
            second = claiming(claim("run-2", request=request_), balances=[hold(30)])
            assert await store.append(replace(second, cache=entry("run-2"))) == KeyTaken(run="run-1", same_request=same)
            assert await store.idempotency("local", "k") == claim("run-1")
            assert await figures(store) == [("global", "total", 100, 60, 0)]
            assert await cached(store) is None
            assert await store.head() == before
            await store.aclose()

        asyncio.run(scenario())

    @with_store
    async def test_keys_are_an_owners_own(self, store: EventStore) -> None:
        await appended(store, claiming(claim("run-1")))
        await appended(store, claiming(claim("run-2", owner="somebody")))
        await appended(store, claiming(claim("run-3", key="K")))
        assert await store.idempotency("somebody", "k") == claim("run-2", owner="somebody")
        assert await store.idempotency("nobody", "k") is None

    @with_store
    async def test_a_retried_append_gets_its_first_result_and_not_its_own_key(self, store: EventStore) -> None:
        append = claiming(claim("run-1"), balances=[hold(5)])
        first = await appended(store, append)
        await appended(store, on_stream("run-1"))
        assert await appended(store, append) == replace(first, duplicate=True)
        assert await figures(store) == [("global", "total", None, 5, 0)]

    @with_store
    async def test_a_taken_key_is_told_before_a_conflict_and_before_a_refused_hold(self, store: EventStore) -> None:
        await change(store, limit(100))
        await appended(store, claiming(claim("run-1")))
        for append in (
            claiming(claim("run-1"), expected=Expected.NONE),
            claiming(claim("run-2"), expected=7),
            claiming(claim("run-2"), balances=[hold(101)]),
        ):
            assert await store.append(append) == KeyTaken(run="run-1", same_request=True)

    @with_store
    async def test_an_append_that_fails_takes_no_key(self, store: EventStore) -> None:
        await change(store, limit(100))
        conflict = await store.append(claiming(claim("run-1"), expected=7))
        assert isinstance(conflict, VersionConflict)
        assert isinstance(await store.append(claiming(claim("run-1"), balances=[hold(101)])), HoldRefused)
        assert await store.idempotency("local", "k") is None
        await appended(store, claiming(claim("run-2")))

    @with_store
    async def test_of_16_parallel_claims_one_wins_and_only_it_holds_money(self, store: EventStore) -> None:
        await change(store, limit(100))
        results = await asyncio.gather(
            *(store.append(claiming(claim(f"run-{n}"), balances=[hold(60)])) for n in range(16))
        )
        (winner,) = (f"run-{n}" for n, result in enumerate(results) if isinstance(result, Appended))
        losers = [result for result in results if not isinstance(result, Appended)]
        assert losers == [KeyTaken(run=winner, same_request=True)] * 15
        assert await store.idempotency("local", "k") == claim(winner)
        assert await figures(store) == [("global", "total", 100, 60, 0)]
        assert await store.head() == 2

    @with_store
    async def test_parallel_claims_of_different_keys_all_win(self, store: EventStore) -> None:
        claims = [claim(f"run-{n}", key=f"k{n}") for n in range(40)]
        await asyncio.gather(*(appended(store, claiming(it)) for it in claims))
        assert [await store.idempotency("local", it.key) for it in claims] == claims

    @with_store
    async def test_the_longest_key_is_held_and_what_no_store_can_hold_is_refused(self, store: EventStore) -> None:
        longest = replace(claim("r" * 255, key="𝄞" * 255, owner="𝄞" * 255), fingerprint=b"f" * 64)
        await appended(store, claiming(longest))
        assert await store.idempotency(longest.owner, longest.key) == longest
        for key in ("", "𝄞" * 256, "a\0b", "\ud800"):
            with pytest.raises(InvalidRequest, match="idempotency key has 1 to 255 characters"):
                await store.append(claiming(claim("run-1", key=key)))
            with pytest.raises(InvalidRequest, match="idempotency key has 1 to 255 characters"):
                await store.idempotency("local", key)
        for bad in (
            replace(claim("run-1"), owner=""),
            replace(claim("run-1"), owner="\ud800"),
            replace(claim("run-1"), fingerprint=b""),
            replace(claim("run-1"), fingerprint=b"f" * 65),
        ):
            with pytest.raises(ValueError, match=r"has 1 to|have 1 to"):
                await store.append(claiming(bad))
        assert await store.head() == 1

    # ---- the answer cache ----

    @with_store
    async def test_an_entry_is_written_with_its_append_and_ends_at_its_expiry(self, store: EventStore) -> None:
        it = entry("run-1", attempt=3)
        await appended(store, caching(it))
        assert await store.cached("local", it.fingerprint, now=Timestamp(LATER - 1)) == it
        assert await store.cached("local", it.fingerprint, now=LATER) is None
        assert await cached(store, request="another request") is None

    @with_store
    async def test_the_newest_entry_wins_whatever_their_expiries(self, store: EventStore) -> None:
        await appended(store, caching(entry("run-1", expires_at=Timestamp(LATER + 5))))
        await appended(store, caching(entry("run-2", attempt=2, expires_at=LATER)))
        assert await store.cached("local", fingerprint("hello"), now=NOW) == entry("run-2", attempt=2)

    @with_store
    async def test_of_parallel_entries_the_last_recorded_wins(self, store: EventStore) -> None:
        results = await asyncio.gather(*(appended(store, caching(entry(f"run-{n}"))) for n in range(20)))
        last = max(range(20), key=lambda n: results[n].first_position)
        assert await cached(store) == f"run-{last}"

    @with_store
    async def test_entries_are_an_owners_own(self, store: EventStore) -> None:
        await appended(store, caching(entry("run-1")))
        assert await cached(store, owner="somebody") is None
        await appended(store, caching(entry("run-2", owner="somebody")))
        assert (await cached(store), await cached(store, owner="somebody")) == ("run-1", "run-2")

    @with_store
    async def test_neither_a_refused_append_nor_a_retry_changes_an_entry(self, store: EventStore) -> None:
        first = caching(entry("run-1"))
        await appended(store, first)
        assert isinstance(await store.append(caching(entry("run-2"), expected=7)), VersionConflict)
        assert await cached(store) == "run-1"
        await appended(store, caching(entry("run-3")))
        assert (await appended(store, first)).duplicate
        assert await cached(store) == "run-3"

    @with_store
    async def test_entries_no_store_can_hold_are_refused(self, store: EventStore) -> None:
        for bad in (
            entry("run-1", attempt=2**31),
            entry("run-1", attempt=-1),
            entry("run-1", expires_at=Timestamp(2**63)),
            entry("run-1", owner="a\0b"),
            replace(entry("run-1"), fingerprint=b""),
        ):
            with pytest.raises(ValueError, match=r"has 1 to|have 1 to|out of range"):
                await store.append(caching(bad))
        assert await store.head() == 0

    # ---- the list of budgets ----

    @with_store
    async def test_budgets_lists_the_limits_that_are_set(self, store: EventStore) -> None:
        assert await store.budgets() == []
        await change(store, limit(7, scope="tag:b", period="day"), limit(100), limit(5, scope="category:a"))
        await change(store, limit(3, period="month"), limit(8, scope="tag:b", period="day"), hold(1, scope="model:x"))
        await change(store, limit(None, scope="category:a"))
        assert await store.budgets() == [("global", "month", 3), ("global", "total", 100), ("tag:b", "day", 8)]


class SharedKeysContract:
    """`database_url` names the test's own database, at first empty."""

    @pytest.fixture
    def database_url(self) -> str:
        raise NotImplementedError

    def test_of_16_claims_of_4_processes_one_wins_and_only_it_holds_money(self, database_url: str) -> None:
        open_and_close(database_url)
        processes = [start("claim", database_url, f"p{n}", CALLERS, KEYS) for n in range(PROCESSES)]
        for _ in range(KEYS):
            go(processes)
        lines = [line.split() for output in finished(processes) for line in output]
        winners = {key: run for key, outcome, run in lines if outcome == "won"}
        assert sum(outcome == "won" for _, outcome, _ in lines) == len(winners) == KEYS
        assert [run for key, outcome, run in lines if outcome == "taken"] == [
            winners[key] for key, outcome, _ in lines if outcome == "taken"
        ]
        assert len(lines) == PROCESSES * CALLERS * KEYS
        asyncio.run(_assert_only_winners(database_url, winners))


async def _assert_only_winners(database_url: str, winners: dict[str, str]) -> None:
    store = open_store_at(database_url)
    for key, run in winners.items():
        found = await store.idempotency("local", key)
        assert found is not None
        assert found.run == run
    assert {event.stream for event in await store.read_all()} == set(winners.values())
    assert await figures(store) == [("global", "total", None, KEYS, 0)]
    await assert_sound(store)
    await store.aclose()
