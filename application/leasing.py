"""A worker's tenure of a run: the lease taken, kept alive while the run goes on, and given back."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from ..domain.errors import StoreError
from ..domain.units import MILLION, Duration
from .ports import Lease, LeaseStore

LEASE = Duration(30 * MILLION)  # a worker that was silent for so long is taken for dead
BEATS = 3  # renewals in the time of a lease


class Tenure:
    """Holds the lease inside `async with`; without a lease store it always holds."""

    def __init__(
        self, leases: LeaseStore | None, run: str, worker: str, epoch: int = 1, *, ttl: Duration = LEASE
    ) -> None:
        self._leases = leases
        self._run = run
        self._worker = worker
        self._ttl = ttl
        self.epoch = epoch
        self.is_lost = False
        self._lease: Lease | None = None
        self._sure_until = 0.0  # of this process's monotonic clock, in seconds
        self._first_beat: asyncio.TimerHandle | None = None  # most runs end before it
        self._heart: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._leases is not None:
            await self._take(self._leases)
            self._first_beat = asyncio.get_running_loop().call_later(self._pause, self._begin_to_beat, self._leases)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._first_beat is not None:
            self._first_beat.cancel()
        if self._heart is not None:
            self._heart.cancel()
        if self._leases is not None and self._lease is not None:
            with suppress(StoreError):  # it runs out by itself
                await self._leases.release(self._lease)

    async def confirm(self) -> None:
        """Before work starts: where this process stood still past its lease, ask whether it is still its own."""
        if self._leases is not None and not self.is_lost and time.monotonic() >= self._sure_until:
            await self._keep(self._leases)

    async def _take(self, leases: LeaseStore) -> None:
        now = time.monotonic()
        self._lease = await leases.acquire(self._run, worker=self._worker, epoch=self.epoch, ttl=self._ttl)
        self._kept(now)

    async def _keep(self, leases: LeaseStore) -> None:
        now = time.monotonic()
        self._lease = self._lease and await leases.renew(self._lease, ttl=self._ttl)
        if self._lease is None:  # it ran out while this process stood still, or the state was deleted
            await self._take(leases)
        else:
            self._kept(now)

    def _kept(self, since: float) -> None:
        self.is_lost = self._lease is None
        self._sure_until = since + self._ttl / MILLION

    def _begin_to_beat(self, leases: LeaseStore) -> None:
        self._heart = asyncio.create_task(self._beat(leases))

    async def _beat(self, leases: LeaseStore) -> None:
        while not self.is_lost:
            with suppress(StoreError):  # the next beat tries again; before work starts, `confirm` does
                await self._keep(leases)
            await asyncio.sleep(self._pause)

    @property
    def _pause(self) -> float:
        """Seconds between two beats."""
        return self._ttl / MILLION / BEATS
