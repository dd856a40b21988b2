"""Rate limits and breakers in NAME.state.db, for all processes of one machine; by its clock."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...application.limits import Receipt
from ...domain.breaker import RULES, Breaker, BreakerRules, BreakerState
from ...domain.units import Timestamp
from ..store.state_file import StateFile
from . import gcra, sql
from .booked import BookedLimiter, system_now
from .gcra import Books, Call, Place
from .stored_breakers import Step, StoredBreakers

_RATE_LIMITS = """
CREATE TABLE IF NOT EXISTS rate_limit_places (
    model TEXT NOT NULL,
    start INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    life INTEGER NOT NULL,
    requests_mark INTEGER NOT NULL,
    tokens_mark INTEGER NOT NULL,
    PRIMARY KEY (model, requests_mark)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rate_limits (
    model TEXT NOT NULL PRIMARY KEY,
    life INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    granted INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    latest_before INTEGER NOT NULL,
    requests_full_at INTEGER NOT NULL,
    requests_before INTEGER NOT NULL,
    requests_total INTEGER NOT NULL,
    tokens_full_at INTEGER NOT NULL,
    tokens_before INTEGER NOT NULL,
    tokens_total INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""
_BREAKERS = """
CREATE TABLE IF NOT EXISTS breakers (
    name TEXT NOT NULL PRIMARY KEY,
    failures INTEGER NOT NULL,
    failed_at INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    open_until INTEGER NOT NULL,
    probe_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID
"""


def _sqlite(statement: str) -> str:
    """A shared statement in SQLite's words."""
    named = re.sub(r"%\((\w+)\)s", r":\1", statement)
    scalar = named.replace("greatest(", "max(").replace("least(", "min(")
    alone = scalar.replace("FOR UPDATE OF f SKIP LOCKED", "")
    return alone.format(
        rate_limits="rate_limits", rate_limit_places="rate_limit_places", breakers="breakers", now=":now"
    )


_RESERVE, _CORRECT, _BOOKS = _sqlite(sql.RESERVE), _sqlite(sql.CORRECT), _sqlite(sql.BOOKS)
_TAKE, _FREE = _sqlite(sql.TAKE), _sqlite(sql.FREE)
_UNDO, _GIVE_BACK, _FORGET_PAST = _sqlite(sql.UNDO), _sqlite(sql.GIVE_BACK), _sqlite(sql.FORGET_PAST)
_BREAKER, _PUT_BREAKER = _sqlite(sql.BREAKER), _sqlite(sql.PUT_BREAKER)


class SqliteRateLimiter(BookedLimiter):
    """The RateLimiter port on the state file."""

    def __init__(self, path: Path, *, clock: Callable[[], Timestamp] = system_now) -> None:
        self._file = StateFile(path, _RATE_LIMITS)
        self._clock = clock

    async def aclose(self) -> None:
        """Close the file; the next call opens it again."""
        await asyncio.to_thread(self._file.close)

    async def _reserve(self, model: str, call: Call) -> tuple[Place, Timestamp]:
        def ask(connection: sqlite3.Connection) -> tuple[Place, Timestamp]:
            # The clock is read under the lock, so that nobody comes with an earlier moment than the one before.
            parameters = sql.call_parameters(model, call) | {"now": self._clock()}
            if rows := connection.execute(_TAKE, parameters).fetchall():
                return sql.place(rows[0])
            books = sql.books(*connection.execute(_RESERVE, parameters).fetchall())
            return gcra.last_place(books, call), Timestamp(books.asked)

        return await self._file.alone(ask)

    async def _admit(self, model: str, call: Call) -> int:
        def ask(connection: sqlite3.Connection) -> int:
            now = self._clock()  # nobody else comes between the look and the grant: the file is ours alone
            rows = connection.execute(_BOOKS, {"model": model}).fetchall()
            wait = gcra.wait(sql.books(rows[0]) if rows else None, now, call)
            if not wait:
                connection.execute(_RESERVE, sql.call_parameters(model, call) | {"now": now}).fetchall()
            return wait

        return await self._file.alone(ask)

    async def _correct(self, model: str, receipt: Receipt, *, requests: int, tokens: int) -> None:
        parameters = sql.correction_parameters(model, receipt, requests, tokens)
        await self._file.alone(lambda connection: connection.execute(_CORRECT, parameters))

    async def _cancel(self, model: str, place: Place, call: Call) -> None:
        def give_back(connection: sqlite3.Connection) -> None:
            parameters = sql.cancel_parameters(model, place, call) | {"now": self._clock()}
            connection.execute(_FORGET_PAST, parameters)
            for attempt in (_UNDO, _GIVE_BACK, _CORRECT):
                if connection.execute(attempt, parameters).rowcount:
                    return

        await self._file.alone(give_back)

    async def _look(self, model: str, tokens: int) -> tuple[Books | None, int | None, Timestamp]:
        def ask(connection: sqlite3.Connection) -> tuple[Books | None, int | None, Timestamp]:
            now = self._clock()
            parameters = {"model": model, "tokens": tokens, "now": now}
            rows = connection.execute(_BOOKS, parameters).fetchall()
            ((free,),) = connection.execute(_FREE, parameters).fetchall()
            return (sql.books(rows[0]) if rows else None), free, now

        return await self._file.alone(ask)


class SqliteBreakers(StoredBreakers):
    """The Breakers port on the state file."""

    def __init__(self, path: Path, *, rules: BreakerRules = RULES, clock: Callable[[], Timestamp] = system_now) -> None:
        super().__init__(rules)
        self._file = StateFile(path, _BREAKERS)
        self._clock = clock

    async def aclose(self) -> None:
        """Close the file; the next call opens it again."""
        await asyncio.to_thread(self._file.close)

    async def _read(self, names: Sequence[str]) -> tuple[Mapping[str, Breaker], Timestamp]:
        def ask(connection: sqlite3.Connection) -> tuple[Mapping[str, Breaker], Timestamp]:
            wanted = f"{sql.NAMED_BREAKERS} WHERE name IN ({', '.join('?' * len(names))})"
            return {row[0]: sql.breaker(row[1:]) for row in connection.execute(wanted, names)}, self._clock()

        return await self._file.read(ask)

    async def _change(self, name: str, step: Step) -> BreakerState:
        def change(connection: sqlite3.Connection) -> BreakerState:
            kept = _kept(connection, name)
            changed, state = step(kept, self._clock())
            if changed != kept:
                connection.execute(_PUT_BREAKER, sql.breaker_parameters(name, changed))
            return state

        return await self._file.alone(change)


def _kept(connection: sqlite3.Connection, name: str) -> Breaker:
    rows = connection.execute(_BREAKER, {"name": name}).fetchall()
    return sql.breaker(rows[0]) if rows else Breaker()
