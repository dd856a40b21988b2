"""Short statements sent to PostgreSQL from the event loop, each a transaction of its own.

What a request asks beside its appends is a dozen statements of microseconds. Each in a thread costs a tenth of a
millisecond and two waits for the interpreter, because the thread sleeps in between; over libpq's pipeline mode the loop
sends it, goes on, and is called when the answer is there. Answers come in the order of the statements, so only those
belong here that do not wait for long: whoever may, borrows a connection and a thread (`ReadConnections`).

What is changed here is state that may be lost, so its commits do not wait for the disk. They reach it before any call
that they allow: the append that says the call leaves is a later commit, and waits.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import count
from typing import Any, LiteralString
from weakref import WeakKeyDictionary

import psycopg
from psycopg import errors
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

from ...domain.errors import StoreUnavailable
from .postgres_connection import Connection, connect, unavailable
from .postgres_reader import ReadConnections

Parameters = Mapping[str, Any] | Sequence[Any]
Row = tuple[Any, ...]

_PLACE = re.compile(r"%\((\w+)\)s|%s")
_BIGINT, _TEXT = 20, 25  # Source: PostgreSQL's pg_type.dat, read 2026-11-29
_READ_AS: dict[int, Callable[[bytes], Any]] = {
    **dict.fromkeys((_BIGINT, 21, 23), int),
    **dict.fromkeys((_TEXT, 1043), bytes.decode),
}
_STOPPING = "57P"  # the class of errors with which a server ends a connection


class PostgresPipeline:
    """One connection for each event loop that asks, opened at first use; a child after a fork opens its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._links: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Future[_Link]] = WeakKeyDictionary()
        self._threaded = ReadConnections(url) if sys.platform == "win32" else None  # no loop there watches a socket
        self._closed = False

    async def rows(self, statement: LiteralString, parameters: Parameters = ()) -> list[Row]:
        """The statement's rows, of integers and texts; parameters are integers and texts, in psycopg's places.

        A connection that broke while it was idle is replaced once. Raises StoreUnavailable.
        """
        if self._threaded is not None:
            return await asyncio.to_thread(self._threaded.run, lambda c: _fetched(c, statement, parameters))
        text, names = _numbered(statement)
        given = [parameters[name] for name in names] if isinstance(parameters, Mapping) else parameters
        while True:
            link, was_kept = await self._link()
            try:
                return await link.ask(text, given)
            except _Broken as broken:
                self._forget(link)
                if not was_kept:
                    raise unavailable(self._url, broken.error) from None
            except psycopg.Error as error:
                raise unavailable(self._url, error) from None

    async def aclose(self) -> None:
        """Close the connections."""
        self._closed = True
        links, self._links = list(self._links.values()), WeakKeyDictionary()
        for link in links:
            if link.done() and not link.cancelled() and link.exception() is None:
                link.result().close()
        if self._threaded is not None:
            await asyncio.to_thread(self._threaded.close)

    def after_fork_in_child(self) -> None:
        """The parent's connections stayed with the parent; nothing is said to their servers from here."""
        self._links = WeakKeyDictionary()

    async def _link(self) -> tuple[_Link, bool]:
        """This loop's connection, and whether it was open before."""
        if self._closed:
            raise StoreUnavailable("the event store is closed: open a new one")
        loop = asyncio.get_running_loop()
        opening = self._links.get(loop)
        was_kept = opening is not None and opening.done()
        if opening is None:
            opening = self._links[loop] = asyncio.ensure_future(self._open())
        try:
            return await asyncio.shield(opening), was_kept
        except StoreUnavailable:
            self._links.pop(loop, None)  # the next one tries again
            raise

    def _forget(self, broken: _Link) -> None:
        """Unless another who noticed was faster, and the loop has a new one."""
        known = self._links.get(asyncio.get_running_loop())
        if known is not None and known.done() and known.result() is broken:
            del self._links[asyncio.get_running_loop()]
        broken.close()

    async def _open(self) -> _Link:
        return _Link(await asyncio.to_thread(partial(connect, self._url, durable=False)), asyncio.get_running_loop())


class _Broken(Exception):
    """The connection is gone; `error` says why."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__()
        self.error = error


class _Link:
    """A connection in pipeline mode, watched by an event loop."""

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection  # what closes it
        self._pg = connection.pgconn
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        self._socket = self._pg.socket
        self._loop = loop
        self._asked: deque[tuple[asyncio.Future[list[Row]], bytes]] = deque()  # with the statement
        self._prepared: dict[bytes, bytes] = {}  # the names of statements
        self._names = count()
        self._answer: list[Row] | psycopg.Error = []  # to the first of those who asked, until its end is seen
        loop.add_reader(self._socket, self._read)

    def ask(self, statement: bytes, parameters: Sequence[Any]) -> asyncio.Future[list[Row]]:
        """The rows, once they are there. Raises psycopg's errors, and _Broken."""
        answer: asyncio.Future[list[Row]] = self._loop.create_future()
        types = [_BIGINT if isinstance(value, int) else _TEXT for value in parameters]
        values = [str(value).encode() for value in parameters]
        try:
            if statement not in self._prepared:
                self._prepared[statement] = b"s%d" % next(self._names)
                self._pg.send_prepare(self._prepared[statement], statement, types)
            self._pg.send_query_prepared(self._prepared[statement], values)
            self._pg.pipeline_sync()
            self._asked.append((answer, statement))
            self._write()
        except psycopg.OperationalError as error:
            self._asked.append((answer, statement))
            self._break(error)
        return answer

    def close(self) -> None:
        """Close it; who still waits is told."""
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._connection.close()
        self._fail(psycopg.OperationalError("the connection was closed"))

    def _write(self) -> None:
        if self._pg.flush():
            self._loop.add_writer(self._socket, self._write_on)

    def _write_on(self) -> None:
        self._loop.remove_writer(self._socket)
        try:
            self._write()
        except psycopg.OperationalError as error:
            self._break(error)

    def _read(self) -> None:
        try:
            self._pg.consume_input()
            ends = 0  # of a statement's results; two in a row: there is nothing yet
            while self._asked and ends < 2 and not self._pg.is_busy():
                result = self._pg.get_result()
                ends = ends + 1 if result is None else 0
                if result is not None:
                    self._take(result)
        except psycopg.OperationalError as error:
            self._break(error)

    def _take(self, result: PGresult) -> None:
        """One result: rows, an error, or the end of what one asked."""
        match result.status:
            case ExecStatus.TUPLES_OK:
                self._answer = _rows(result)
            case ExecStatus.PIPELINE_SYNC:
                answer, self._answer = self._answer, []
                self._tell(self._asked.popleft()[0], answer)
            case ExecStatus.FATAL_ERROR:
                self._answer = errors.error_from_result(result)
                self._prepared.pop(self._asked[0][1], None)  # it may be this that failed
                if self._pg.status == ConnStatus.BAD or (self._answer.sqlstate or "").startswith(_STOPPING):
                    self._break(self._answer)

    def _break(self, error: psycopg.Error) -> None:
        """Nothing more will come."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._fail(error)

    def _fail(self, error: psycopg.Error) -> None:
        asked, self._asked = self._asked, deque()
        for future, _ in asked:
            self._tell(future, _Broken(error))

    def _tell(self, future: asyncio.Future[list[Row]], answer: list[Row] | Exception) -> None:
        if future.done() or self._loop.is_closed():  # who asked is gone
            return
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)


@lru_cache(maxsize=128)
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """The statement with $1, $2 ... in its places, and the names of those that have one."""
    names: list[str] = []

    def number(place: re.Match[str]) -> str:
        name = place[1] or f"{len(names)}"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _PLACE.sub(number, statement).encode(), tuple(names)


def _rows(result: PGresult) -> list[Row]:
    columns = [(column, _READ_AS[result.ftype(column)]) for column in range(result.nfields)]
    return [tuple(_cell(result, row, *column) for column in columns) for row in range(result.ntuples)]


def _cell(result: PGresult, row: int, column: int, read: Callable[[bytes], Any]) -> Any:
    value = result.get_value(row, column)
    return None if value is None else read(value)


def _fetched(connection: Connection, statement: LiteralString, parameters: Parameters) -> list[Row]:
    cursor = connection.execute(statement, parameters)
    return cursor.fetchall() if cursor.description else []
