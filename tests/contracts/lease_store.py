"""What every lease store must do; each adapter's test module subclasses this suite and brings `open_leases`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from model_orchestrator.application.ports import Lease, LeaseStore
from model_orchestrator.domain.units import Duration

MINUTE = Duration(60_000_000)
OpenLeases = Callable[[], LeaseStore]


async def acquire(leases: LeaseStore, worker: str, *, epoch: int = 1, ttl: Duration = MINUTE) -> Lease | None:
    return await leases.acquire("run-1", worker=worker, epoch=epoch, ttl=ttl)


async def taken(leases: LeaseStore, worker: str, *, epoch: int = 1, ttl: Duration = MINUTE) -> Lease:
    lease = await acquire(leases, worker, epoch=epoch, ttl=ttl)
    assert lease is not None
    return lease


class LeaseStoreContract:
    """`open_leases` returns a function; each call opens the test's own, at first empty, lease store."""

    @pytest.fixture
    def open_leases(self) -> OpenLeases:
        raise NotImplementedError

    def test_a_free_lease_is_taken_until_its_expiry(self, open_leases: OpenLeases) -> None:
        async def scenario() -> None:
            leases = open_leases()
            before = time.time_ns() // 1000
            lease = await taken(leases, "w1", epoch=3)
            assert (lease.run, lease.worker, lease.epoch) == ("run-1", "w1", 3)
            assert before + MINUTE - 2_000_000 <= lease.expires_at <= time.time_ns() // 1000 + MINUTE + 2_000_000
            assert await leases.holder("run-1") == lease
            assert await leases.holder("run-2") is None

        asyncio.run(scenario())

    def test_another_worker_waits_and_the_same_one_may_take_it_again(self, open_leases: OpenLeases) -> None:
        async def scenario() -> None:
            leases = open_leases()
            await taken(leases, "w1")
            assert await acquire(leases, "w2", epoch=2) is None
            again = await taken(leases, "w1", epoch=2)
            assert await leases.holder("run-1") == again

        asyncio.run(scenario())

    def test_an_expired_lease_is_free_and_its_old_holder_has_lost_it(self, open_leases: OpenLeases) -> None:
        async def scenario() -> None:
            leases = open_leases()
            old = await taken(leases, "w1", ttl=Duration(0))
            assert await leases.holder("run-1") is None
            assert await leases.renew(old, ttl=MINUTE) is None
            new = await taken(leases, "w2", epoch=2)
            assert await leases.renew(old, ttl=MINUTE) is None
            await leases.release(old)
            assert await leases.holder("run-1") == new

        asyncio.run(scenario())

    def test_renewing_moves_the_expiry(self, open_leases: OpenLeases) -> None:
        async def scenario() -> None:
            leases = open_leases()
            lease = await taken(leases, "w1")
            later = await leases.renew(lease, ttl=Duration(2 * MINUTE))
            assert later is not None
            assert later.expires_at > lease.expires_at
            assert await leases.holder("run-1") == later

        asyncio.run(scenario())

    def test_a_lease_taken_again_under_a_new_epoch_outdates_the_old_one(self, open_leases: OpenLeases) -> None:
        async def scenario() -> None:
            leases = open_leases()
            old = await taken(leases, "w1")
            new = await taken(leases, "w1", epoch=2)
            assert await leases.renew(old, ttl=MINUTE) is None
            await leases.release(old)
            assert await leases.holder("run-1") == new

        asyncio.run(scenario())

    def test_a_released_lease_is_free(self, open_leases: OpenLeases) -> None:
        async def scenario() -> None:
            leases = open_leases()
            await leases.release(await taken(leases, "w1"))
            assert await leases.holder("run-1") is None
            await taken(leases, "w2", epoch=2)

        asyncio.run(scenario())

    def test_of_many_takers_one_wins(self, open_leases: OpenLeases) -> None:
        async def scenario() -> None:
            leases = open_leases()
            results = await asyncio.gather(*(acquire(leases, f"w{n}") for n in range(20)))
            assert sum(result is not None for result in results) == 1

        asyncio.run(scenario())
