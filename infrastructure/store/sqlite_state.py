"""Leases in NAME.state.db, for all processes of one machine; by its clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...application.ports import Lease
from ...domain.units import Duration, Timestamp
from .state_file import StateFile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS leases (
    run TEXT NOT NULL PRIMARY KEY,
    worker TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""
# The database's clock, the system's, in microseconds; SQLite asks it to the millisecond. One value a statement.
_NOW = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000"
_ACQUIRE = f"""
INSERT INTO leases (run, worker, epoch, expires_at) VALUES (:run, :worker, :epoch, {_NOW} + :ttl)
ON CONFLICT (run) DO UPDATE SET worker = excluded.worker, epoch = excluded.epoch, expires_at = excluded.expires_at
WHERE leases.worker = excluded.worker OR leases.expires_at <= {_NOW}
RETURNING run, worker, epoch, expires_at
"""
_MINE = "run = :run AND worker = :worker AND epoch = :epoch"
_RENEW = f"""
UPDATE leases SET expires_at = max(expires_at, {_NOW} + :ttl)
WHERE {_MINE} AND expires_at > {_NOW} RETURNING run, worker, epoch, expires_at
"""
_RELEASE = f"DELETE FROM leases WHERE {_MINE} RETURNING run, worker, epoch, expires_at"
_HOLDER = f"SELECT run, worker, epoch, expires_at FROM leases WHERE run = :run AND expires_at > {_NOW}"


def state_path(database: Path) -> Path:
    """NAME.state.db beside NAME.db."""
    return database.with_name(f"{database.stem}.state.db")


class SqliteLeases:
    """The LeaseStore port on the state file. Usable from any thread, and after a fork."""

    def __init__(self, path: Path | None) -> None:
        """None keeps them in memory."""
        self._file = StateFile(path, _SCHEMA)

    async def acquire(self, run: str, *, worker: str, epoch: int, ttl: Duration) -> Lease | None:
        """Take a lease that is free, expired or already this worker's; None while another holds it."""
        return await self._lease(_ACQUIRE, run=run, worker=worker, epoch=epoch, ttl=ttl)

    async def renew(self, lease: Lease, *, ttl: Duration) -> Lease | None:
        """A later expiry; None where the lease was lost."""
        return await self._lease(_RENEW, run=lease.run, worker=lease.worker, epoch=lease.epoch, ttl=ttl)

    async def release(self, lease: Lease) -> None:
        """Give it back; a lease that was lost is left alone."""
        await self._lease(_RELEASE, run=lease.run, worker=lease.worker, epoch=lease.epoch)

    async def holder(self, run: str) -> Lease | None:
        """The lease that is in force, if any."""
        return await self._lease(_HOLDER, run=run)

    async def aclose(self) -> None:
        """Close the file; the next call opens it again."""
        self._file.close()

    async def _lease(self, statement: str, **parameters: Any) -> Lease | None:
        rows = await self._file.alone(lambda connection: connection.execute(statement, parameters).fetchall())
        for run, worker, epoch, expires_at in rows:
            return Lease(run=run, worker=worker, epoch=epoch, expires_at=Timestamp(expires_at))
        return None
