"""A connection in libpq's pipeline mode, watched by an event loop: statements go out at once, answers come in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import psycopg
from psycopg import errors
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

from .postgres_connection import Connection

Row = tuple[Any, ...]

_BIGINT, _TEXT = 20, 25  # Source: PostgreSQL's pg_type.dat, read 2026-11-29
_READ_AS: dict[int, Callable[[bytes], Any]] = {
    **dict.fromkeys((_BIGINT, 21, 23), int),
    **dict.fromkeys((_TEXT, 1043), bytes.decode),
}
_STOPPING = "57P"  # the class of errors with which a server ends a connection
_PREPARED_IN_VAIN = ("0A000", "26000")  # its table was changed meanwhile, or the server knows it no longer


class Broken(Exception):
    """The connection is gone; `error` says why."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__()
        self.error = error


@dataclass(slots=True)
class _Asked:
    """One statement that was sent."""

    answer: asyncio.Future[list[Row]]
    statement: bytes
    prepares: bool  # it is sent with its text, and the server has not said yet that it understood it


class Link:
    """A connection in pipeline mode, watched by an event loop."""

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection  # what closes it
        self._pg = connection.pgconn
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        self._socket = self._pg.socket
        self._loop = loop
        self._asked: deque[_Asked] = deque()
        self._prepared: dict[bytes, bytes] = {}  # the names of statements
        self._names = count()
        self._answer: list[Row] | Exception = []  # to the first of those who asked, until its end is seen
        self._broken_by: psycopg.Error | None = None
        loop.add_reader(self._socket, self._read)

    def ask(self, statement: bytes, parameters: Sequence[Any]) -> asyncio.Future[list[Row]]:
        """The rows, once they are there. Raises psycopg's errors, and Broken."""
        if self._broken_by is not None:
            raise Broken(self._broken_by)
        types, values = zip(*map(_parameter, parameters), strict=True) if parameters else ((), ())
        asked = _Asked(self._loop.create_future(), statement, statement not in self._prepared)
        self._asked.append(asked)
        try:
            if asked.prepares:
                self._prepared[statement] = b"s%d" % next(self._names)
                self._pg.send_prepare(self._prepared[statement], statement, types)
            self._pg.send_query_prepared(self._prepared[statement], values)
            self._pg.pipeline_sync()
            self._write()
        except psycopg.OperationalError as error:
            self._break(error)
        return asked.answer

    def close(self) -> None:
        """Close it; who still waits is told, in the loop where they wait."""
        if self._loop.is_running() and self._loop is not asyncio.get_running_loop():
            with suppress(RuntimeError):  # it was closed just now: nobody waits there any more
                self._loop.call_soon_threadsafe(self._close)
                return
        self._close()

    def _close(self) -> None:
        self._break(psycopg.OperationalError("the connection was closed"))
        self._connection.close()

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
            case ExecStatus.COMMAND_OK:
                self._asked[0].prepares = False
            case ExecStatus.TUPLES_OK:
                self._answer = _rows(result)
            case ExecStatus.PIPELINE_SYNC:
                answer, self._answer = self._answer, []
                self._tell(self._asked.popleft().answer, answer)
            case ExecStatus.FATAL_ERROR:
                self._refused(errors.error_from_result(result))

    def _refused(self, error: psycopg.Error) -> None:
        """What the server says against the first of those who asked, or against the connection."""
        self._answer, asked, state = error, self._asked[0], error.sqlstate or ""
        if asked.prepares or state in _PREPARED_IN_VAIN:  # else it stays prepared: each name costs the server memory
            self._prepared.pop(asked.statement, None)
        if self._pg.status == ConnStatus.BAD or state.startswith(_STOPPING):
            self._break(error)

    def _break(self, error: psycopg.Error) -> None:
        """Nothing more will come."""
        if self._broken_by is None and not self._loop.is_closed():  # later the number may be another socket's
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._broken_by = self._broken_by or error
        asked, self._asked = self._asked, deque()
        for one in asked:
            self._tell(one.answer, Broken(error))

    def _tell(self, future: asyncio.Future[list[Row]], answer: list[Row] | Exception) -> None:
        if future.done() or self._loop.is_closed():  # who asked is gone
            return
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)


def _parameter(value: Any) -> tuple[int, bytes]:
    """Its type and its text. Raises psycopg.DataError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _BIGINT, b"%d" % value
    if not isinstance(value, str):
        raise psycopg.DataError(f"neither an integer nor a text: {type(value).__name__}")
    if "\0" in value:  # libpq would send what stands before it
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return _TEXT, value.encode()


def _rows(result: PGresult) -> list[Row] | Exception:
    try:
        columns = [(column, _READ_AS[result.ftype(column)]) for column in range(result.nfields)]
        return [tuple(_cell(result, row, *column) for column in columns) for row in range(result.ntuples)]
    except (KeyError, UnicodeDecodeError) as error:  # its own caller's matter: the others' answers follow
        return error


def _cell(result: PGresult, row: int, column: int, read: Callable[[bytes], Any]) -> Any:
    value = result.get_value(row, column)
    return None if value is None else read(value)
