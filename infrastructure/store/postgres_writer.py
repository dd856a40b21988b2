"""The write side on PostgreSQL: one call of `log.append_events_v1` a batch, repeated where its end is unknown."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

from ...application.ports import Append
from ...domain.errors import EventIdReused, StoreError, StoreUnavailable
from ..database_url import masked
from .append_rules import Outcome
from .postgres_batch import Batch
from .postgres_calls import Call
from .postgres_connection import Connection, Unreachable, connect, translated, unavailable

PATIENCE = 20.0  # seconds in which a lost server may come back
_UNFIT = (
    UnicodeEncodeError,
    OverflowError,
    struct.error,
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
)
Answer = list[bytes | None]


class _CommitUnanswered(Exception):
    """The server went away; whether the batch was committed is unknown."""


class PostgresWriter:
    """Appends batches on a connection of its own; one thread at a time.

    A batch whose commit was not answered is sent again with the same event ids: what was committed comes back as a
    duplicate, with its first result.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self._url = url
        self._patience = patience
        self._connection: Connection | None = None
        self._prepared: set[str] = set()  # calls, on this connection

    def append_batch(self, appends: Sequence[Append]) -> list[Outcome]:
        """One outcome an append; what a caller's append cannot do is its own outcome alone."""
        return [outcome for part in _parts(appends) for outcome in self._append_part(part)]

    def close(self) -> None:
        """Close the connection; the next batch opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def forget(self) -> None:
        """Drop the connection without a word to the server: it belongs to the process this one was forked from."""
        self._connection = None

    def _append_part(self, appends: Sequence[Append]) -> list[Outcome]:
        try:
            batch = Batch()
            for append in appends:
                batch.add(append)
            return batch.results(self._durably(*batch.call()))
        except _UNFIT as error:
            if len(appends) > 1:
                return [outcome for append in appends for outcome in self._append_part([append])]
            return [self._unfit(error)]
        except StoreError as error:
            return [type(error)(str(error)) for _ in appends]  # one each: a raised error collects its raisers

    def _unfit(self, error: Exception) -> StoreError:
        if isinstance(error, psycopg.errors.UniqueViolation):
            return EventIdReused("an append brought the same event id twice; nothing was written")
        if isinstance(error, psycopg.Error):
            return StoreUnavailable(f"{unavailable(self._url, error)}; nothing was written")
        return StoreUnavailable(
            "a text of this append is not valid Unicode or a number is too big; nothing was written"
        )

    def _durably(self, call: Call, arguments: list[bytes]) -> Answer:
        deadline = time.monotonic() + self._patience
        pause, unknown = 0.02, False
        problem: StoreError
        while True:
            try:
                return self._answer(call, arguments)
            except _CommitUnanswered as error:
                unknown, problem = True, self._unknown(error)
            except StoreError as error:
                problem = self._unknown(error) if unknown else type(error)(f"{error}; nothing was written")
                if not isinstance(error, Unreachable):
                    raise problem from None
            if time.monotonic() + pause > deadline:
                raise problem
            time.sleep(pause)
            pause = min(0.25, pause * 2)

    def _unknown(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(
            f"{masked(self._url)}: the connection broke during a commit, and after {self._patience:.0f} s of trying "
            f"whether it was written is unknown: append it again with the same event ids ({error})"
        )

    def _answer(self, call: Call, arguments: list[bytes]) -> Answer:
        pgconn = self._opened(call).pgconn
        try:
            result = pgconn.exec_prepared(call.name.encode(), arguments, call.formats, pq.Format.TEXT)
            if result.status == pq.ExecStatus.TUPLES_OK:
                return [result.get_value(0, column) for column in range(result.nfields)]
            error = error_from_result(result)
        except psycopg.OperationalError as broken:
            error = broken
        if pgconn.status != pq.ConnStatus.OK:
            self.close()
            raise _CommitUnanswered(str(error).strip())
        if isinstance(error, _UNFIT):
            raise error
        raise unavailable(self._url, error)

    def _opened(self, call: Call) -> Connection:
        """The connection, on which the call is prepared."""
        if self._connection is None:
            self._connection, self._prepared = connect(self._url), set()
        if call.name not in self._prepared:
            pgconn = self._connection.pgconn
            with translated(self._url):
                prepared = pgconn.prepare(call.name.encode(), call.statement.encode(), call.types)
                if prepared.status != pq.ExecStatus.COMMAND_OK:
                    self.close()
                    raise error_from_result(prepared)
            self._prepared.add(call.name)
        return self._connection


def _parts(appends: Sequence[Append]) -> Iterator[list[Append]]:
    """The appends in order, cut wherever an event id comes again: a retry must find the first one in the log.

    One that erases stands alone.
    """
    part: list[Append] = []
    seen: set[bytes] = set()
    for append in appends:
        ids = {event.event_id for stream in append.streams for event in stream.events}
        if part and (append.erased or part[-1].erased or not seen.isdisjoint(ids)):
            yield part
            part, seen = [], set()
        part.append(append)
        seen |= ids
    yield part
