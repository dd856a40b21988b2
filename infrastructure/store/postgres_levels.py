"""The level of events of a PostgreSQL database, and who of the connected could not read a newer one."""

from __future__ import annotations

import re
from typing import LiteralString

from ..event_levels import newest
from .level import KEY, level_of
from .postgres_connection import APPLICATION, Connection

_LEVEL: LiteralString = "SELECT value FROM log.meta WHERE key = %s"
_RAISE: LiteralString = """INSERT INTO log.meta AS o VALUES (%s, %s)
ON CONFLICT (key) DO UPDATE SET value = excluded.value RETURNING value"""
# The name is shown to every role, the address to the role itself and to those that may see all.
_CONNECTED: LiteralString = """SELECT application_name, pid,
    CASE client_port WHEN -1 THEN 'the server''s own machine' ELSE client_addr::text END FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE %s ORDER BY pid"""
_NAMED = re.compile(rf"{APPLICATION}(?:/(\d+))?")


def stored_level(connection: Connection) -> int:
    """What `db finalize` recorded last."""
    rows = connection.execute(_LEVEL, (KEY,)).fetchall()
    return level_of(bytes(rows[0][0]) if rows else None)


def raise_level(connection: Connection) -> int:
    """Record this release's."""
    ((value,),) = connection.execute(_RAISE, (KEY, str(newest()).encode())).fetchall()
    return level_of(bytes(value))


def older_workers(connection: Connection) -> list[str]:
    """Connections whose release cannot read this release's level, in words.

    Each connection's name says what its release can; one that has no number is from before there were levels.
    """
    older = []
    for name, pid, address in connection.execute(_CONNECTED, (f"{APPLICATION}%",)).fetchall():
        named = _NAMED.fullmatch(name)
        if named is not None and int(named[1] or 1) < newest():
            older.append(f"connection {pid} of {address or 'a host that this role may not see'}")
    return older
