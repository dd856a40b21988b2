"""Rate limits and breakers in the schema `views`, for all processes of all machines; by the database's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import LiteralString

from ...application.limits import Receipt
from ...domain.breaker import RULES, Breaker, BreakerRules, BreakerState
from ...domain.units import Timestamp
from ..store.fork_safety import watch
from ..store.postgres_connection import Connection
from ..store.postgres_link import Row
from ..store.postgres_pipeline import PostgresPipeline
from ..store.postgres_reader import ReadConnections
from . import gcra, sql
from .booked import BookedLimiter
from .gcra import Books, Call, Place
from .stored_breakers import Step, StoredBreakers

_NOW: LiteralString = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


def _postgres(statement: LiteralString) -> LiteralString:
    """A shared statement for the schema `views`."""
    return statement.format(
        rate_limits="views.rate_limits",
        rate_limit_places="views.rate_limit_places",
        breakers="views.breakers",
        now=_NOW,
    )


_RESERVE, _CORRECT, _BOOKS = _postgres(sql.RESERVE), _postgres(sql.CORRECT), _postgres(sql.BOOKS)
_TAKE, _FREE = _postgres(sql.TAKE), _postgres(sql.FREE)
_UNDO, _GIVE_BACK, _FORGET_PAST = _postgres(sql.UNDO), _postgres(sql.GIVE_BACK), _postgres(sql.FORGET_PAST)
_ALONE: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('rate_limits:' || %(model)s, 0))"
_BREAKER, _PUT_BREAKER = _postgres(sql.BREAKER), _postgres(sql.PUT_BREAKER)
_READ: LiteralString = f"""
SELECT n.name, {_NOW}, b.failures, b.failed_at, b.opened, b.open_until, b.probe_until
FROM unnest(string_to_array(%(names)s, E'\n')) AS n (name) LEFT JOIN views.breakers b ON b.name = n.name
"""
_ROW_OF_ITS_OWN: LiteralString = (
    "INSERT INTO views.breakers VALUES (%(name)s, 0, 0, 0, 0, 0) ON CONFLICT (name) DO NOTHING"
)


class _OnPostgres:
    """Connections of its own, and a child's after a fork."""

    def __init__(self, url: str) -> None:
        self._pipeline = PostgresPipeline(url)  # for single statements
        self._connections = ReadConnections(url)  # for several that belong together
        watch(self)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._pipeline.aclose()
        await asyncio.to_thread(self._connections.close)

    def before_fork(self) -> None:
        """Connections stay open: the parent goes on with them."""

    def after_fork(self, *, child: bool) -> None:
        """A child starts with connections of its own."""
        if child:
            self._pipeline.after_fork_in_child()
            self._connections.after_fork_in_child()


class PostgresRateLimiter(_OnPostgres, BookedLimiter):
    """The RateLimiter port in views.rate_limits."""

    async def _reserve(self, model: str, call: Call) -> tuple[Place, Timestamp]:
        parameters = sql.call_parameters(model, call)
        if rows := await self._pipeline.rows(_TAKE, parameters):
            return sql.place(rows[0])
        books = sql.books(*await self._pipeline.rows(_RESERVE, parameters))
        return gcra.last_place(books, call), Timestamp(books.asked)

    async def _admit(self, model: str, call: Call) -> int:
        def ask(connection: Connection) -> int:
            with connection.transaction():
                connection.execute(_ALONE, {"model": model})
                rows, now = connection.execute(_BOOKS, {"model": model}).fetchall(), _now(connection)
                wait = gcra.wait(sql.books(rows[0]) if rows else None, now, call)
                if not wait:
                    connection.execute(_RESERVE, sql.call_parameters(model, call))
            return wait

        return await asyncio.to_thread(self._connections.run, ask)

    async def _correct(self, model: str, receipt: Receipt, *, requests: int, tokens: int) -> None:
        parameters = sql.correction_parameters(model, receipt, requests, tokens)
        await self._pipeline.rows(_CORRECT, parameters)

    async def _cancel(self, model: str, place: Place, call: Call) -> None:
        def give_back(connection: Connection) -> None:
            parameters = sql.cancel_parameters(model, place, call)
            connection.execute(_FORGET_PAST, parameters)
            for attempt in (_UNDO, _GIVE_BACK, _CORRECT):
                if connection.execute(attempt, parameters).rowcount:
                    return

        await asyncio.to_thread(self._connections.run, give_back)

    async def _look(self, model: str, tokens: int) -> tuple[Books | None, int | None, Timestamp]:
        def ask(connection: Connection) -> tuple[Books | None, int | None, Timestamp]:
            parameters = {"model": model, "tokens": tokens}
            rows = connection.execute(_BOOKS, parameters).fetchall()
            ((free,),) = connection.execute(_FREE, parameters).fetchall()
            return (sql.books(rows[0]) if rows else None), free, _now(connection)

        return await asyncio.to_thread(self._connections.run, ask)


class PostgresBreakers(_OnPostgres, StoredBreakers):
    """The Breakers port in views.breakers."""

    def __init__(self, url: str, *, rules: BreakerRules = RULES) -> None:
        _OnPostgres.__init__(self, url)
        StoredBreakers.__init__(self, rules)

    async def _read(self, names: Sequence[str]) -> tuple[Mapping[str, Breaker], Timestamp]:
        listed = "\n".join(names)  # no name has a line's end
        return _found(await self._pipeline.rows(_READ, {"names": listed}))

    async def _change(self, name: str, step: Step) -> BreakerState:
        def change(connection: Connection) -> BreakerState:
            rows, now = _found(connection.execute(_READ, {"names": name}).fetchall())
            kept = rows.get(name, Breaker())
            changed, state = step(kept, now)
            return state if changed == kept else _changed(connection, name, step)

        return await asyncio.to_thread(self._connections.run, change)


def _changed(connection: Connection, name: str, step: Step) -> BreakerState:
    """The step again, on a row that is held from before it is read until it is written."""
    with connection.transaction():
        connection.execute(_ROW_OF_ITS_OWN, {"name": name})
        rows = connection.execute(_BREAKER + " FOR UPDATE", {"name": name}).fetchall()
        changed, state = step(sql.breaker(rows[0]), _now(connection))
        connection.execute(_PUT_BREAKER, sql.breaker_parameters(name, changed))
    return state


def _found(rows: Sequence[Row]) -> tuple[dict[str, Breaker], Timestamp]:
    return {row[0]: sql.breaker(row[2:]) for row in rows if row[2] is not None}, Timestamp(rows[0][1])


def _now(connection: Connection) -> Timestamp:
    ((now,),) = connection.execute(f"SELECT {_NOW}").fetchall()
    return Timestamp(now)
