"""Short statements sent to PostgreSQL from the event loop, each a transaction of its own.

What a request asks beside its appends is a dozen statements of microseconds. Each in a thread costs a tenth of a
millisecond and two waits for the interpreter, because the thread sleeps in between; over libpq's pipeline mode the loop
sends it, goes on, and is called when the answer is there. Answers come in the order of the statements, so only those
belong here that do not wait for long: whoever may, borrows a connection and a thread (`ReadConnections`).

What is changed here is state that may be lost, so its commits do not wait for the disk. A lease reaches it with the
append that says its run began, a later commit that waits. Where the server crashes between the two and the append is
sent again, the lease is gone until its worker's next beat; who takes the run over meanwhile raises its epoch.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, LiteralString

import psycopg

from ...domain.errors import StoreCorrupted, StoreUnavailable
from ..database_url import masked
from .postgres_connection import Connection, connect, translated, unavailable
from .postgres_link import Broken, Link, Row
from .postgres_reader import ReadConnections

Parameters = Mapping[str, Any] | Sequence[Any]

_PLACE = re.compile(r"%\((\w+)\)s|%s")
_CLOSED = "the event store is closed: open a new one"


class PostgresPipeline:
    """One connection for each event loop that asks, opened at first use; a child after a fork opens its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._links: dict[asyncio.AbstractEventLoop, asyncio.Future[Link]] = {}
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
            except Broken as broken:
                self._forget(link)
                if not was_kept:
                    raise unavailable(self._url, broken.error) from None
            except psycopg.Error as error:
                raise unavailable(self._url, error) from None
            except UnicodeDecodeError:
                raise StoreCorrupted(f"{masked(self._url)}: a stored text is not valid UTF-8") from None

    async def aclose(self) -> None:
        """Close the connections."""
        self._closed = True
        links, self._links = list(self._links.values()), {}
        for link in filter(_is_open, links):  # one that is just being opened finds this closed
            link.result().close()
        if self._threaded is not None:
            await asyncio.to_thread(self._threaded.close)

    def after_fork_in_child(self) -> None:
        """The parent's connections stayed with the parent; nothing is said to their servers from here."""
        self._links = {}

    async def _link(self) -> tuple[Link, bool]:
        """This loop's connection, and whether it was open before."""
        if self._closed:
            raise StoreUnavailable(_CLOSED)
        loop = asyncio.get_running_loop()
        opening = self._links.get(loop)
        if opening is not None and _is_open(opening):
            return opening.result(), True
        if opening is None or opening.done():  # one that failed is not asked why again
            self._leave_closed_loops()
            opening = self._links[loop] = asyncio.ensure_future(self._open())
        return await asyncio.shield(opening), False

    def _leave_closed_loops(self) -> None:
        for loop in list(self._links):
            if loop.is_closed() and (link := self._links.pop(loop, None)) is not None and _is_open(link):
                link.result().close()

    def _forget(self, broken: Link) -> None:
        """Unless another who noticed was faster, and the loop has a new one."""
        loop = asyncio.get_running_loop()
        known = self._links.get(loop)
        if known is not None and _is_open(known) and known.result() is broken:
            del self._links[loop]
        broken.close()

    async def _open(self) -> Link:
        connection = await asyncio.to_thread(_connected, self._url)
        if self._closed:
            connection.close()
            raise StoreUnavailable(_CLOSED)
        return Link(connection, asyncio.get_running_loop())


def _connected(url: str) -> Connection:
    """A plan is kept with its statement, so one that was made while a table was small must not read all of it."""
    connection = connect(url, durable=False)
    with translated(url):
        connection.execute("SET enable_seqscan = off")
    return connection


def _is_open(opening: asyncio.Future[Link]) -> bool:
    return opening.done() and not opening.cancelled() and opening.exception() is None


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


def _fetched(connection: Connection, statement: LiteralString, parameters: Parameters) -> list[Row]:
    cursor = connection.execute(statement, parameters)
    return cursor.fetchall() if cursor.description else []
