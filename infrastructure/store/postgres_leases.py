"""Leases on PostgreSQL, by the database's clock.

Their commits are not waited for until they are on disk. The server's log is written in order, so the lease of a run is
there before the first event that is appended under it; what a crash of the server can take back is a renewal, which the
next one makes good, or a release, and then the lease runs out.
"""

from __future__ import annotations

from typing import LiteralString

from ...application.ports import Lease
from ...domain.units import Duration, Timestamp
from .fork_safety import watch
from .postgres_pipeline import PostgresPipeline

_NOW: LiteralString = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_ACQUIRE: LiteralString = f"""INSERT INTO views.leases AS o (run, worker, epoch, expires_at)
VALUES (%s, %s, %s, {_NOW} + %s)
ON CONFLICT (run) DO UPDATE SET worker = excluded.worker, epoch = excluded.epoch, expires_at = excluded.expires_at
WHERE o.worker = excluded.worker OR o.expires_at <= {_NOW}
RETURNING run, worker, epoch, expires_at"""
_RENEW: LiteralString = f"""UPDATE views.leases SET expires_at = greatest(expires_at, {_NOW} + %s)
WHERE run = %s AND worker = %s AND epoch = %s AND expires_at > {_NOW}
RETURNING run, worker, epoch, expires_at"""
_RELEASE: LiteralString = "DELETE FROM views.leases WHERE run = %s AND worker = %s AND epoch = %s"
_HOLDER: LiteralString = (
    f"SELECT run, worker, epoch, expires_at FROM views.leases WHERE run = %s AND expires_at > {_NOW}"
)


class PostgresLeases:
    """LeaseStore in the schema `views`."""

    def __init__(self, url: str) -> None:
        self._pipeline = PostgresPipeline(url)
        watch(self)

    async def acquire(self, run: str, *, worker: str, epoch: int, ttl: Duration) -> Lease | None:
        """Take a lease that is free, expired or already this worker's; None while another holds it."""
        return await self._lease(_ACQUIRE, run, worker, epoch, ttl)

    async def renew(self, lease: Lease, *, ttl: Duration) -> Lease | None:
        """A later expiry; None where the lease was lost."""
        return await self._lease(_RENEW, ttl, lease.run, lease.worker, lease.epoch)

    async def release(self, lease: Lease) -> None:
        """Give it back; a lease that was lost is left alone."""
        await self._pipeline.rows(_RELEASE, (lease.run, lease.worker, lease.epoch))

    async def holder(self, run: str) -> Lease | None:
        """The lease that is in force, if any."""
        return await self._lease(_HOLDER, run)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._pipeline.aclose()

    def before_fork(self) -> None:
        """Connections stay open: the parent goes on with them."""

    def after_fork(self, *, child: bool) -> None:
        """A child starts with connections of its own."""
        if child:
            self._pipeline.after_fork_in_child()

    async def _lease(self, query: LiteralString, *values: object) -> Lease | None:
        for run, worker, epoch, expires_at in await self._pipeline.rows(query, values):
            return Lease(run=run, worker=worker, epoch=epoch, expires_at=Timestamp(expires_at))
        return None
