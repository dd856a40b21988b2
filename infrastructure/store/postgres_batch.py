"""A batch of appends as the arguments of `log.append_events_v1`, and its answer as results."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import assert_never

from ...application.ports import (
    Append,
    Appended,
    BalanceChange,
    BalanceHold,
    BalanceSettle,
    BudgetLimit,
    CacheEntry,
    Content,
    ContentKey,
    Expected,
    ExpectedVersion,
    HoldRefused,
    IdempotencyClaim,
    KeyTaken,
    LogEnd,
    NewEvent,
    StreamAppend,
    VersionConflict,
)
from ...domain.errors import EventIdReused
from ...domain.units import Timestamp
from . import postgres_arrays as pg
from .append_checks import ordered
from .append_rules import Outcome
from .chain import event_hash
from .postgres_calls import APPEND_WITH_KEYS, EVENT, KEY, OPTIONAL, STREAM, Call, Row, append_call, encoded

_EXPECTED = {Expected.ANY: -1, Expected.NONE: -2, Expected.EXISTS: -3}
_AT_END = -4  # less the position the log must end at
_APPENDED, _CONFLICT, _REFUSED, _DUPLICATE, _TAKEN = 0, 1, 2, 3, 5


class Batch:
    """Appends on their way into the database, flattened into the function's lists."""

    def __init__(self) -> None:
        self.appends: list[Append] = []
        self._streams: dict[str, int] = {}
        self._stream_rows: list[Row] = []
        self._event_rows: list[Row] = []
        self._content_rows: list[Row] = []
        self._claim_rows: list[Row] = []
        self._entry_rows: list[Row] = []
        self._balance_rows: list[Row] = []
        self._key_rows: list[Row] = []
        self._erased: tuple[str, ...] = ()

    def add(self, append: Append) -> None:
        """Take it in. Raises UnicodeEncodeError, struct.error for what cannot be hashed, and takes nothing then."""
        number = len(self.appends) + 1
        events = [_event_row(part.stream, event) for part in append.streams for event in part.events]
        contents = [_content_row(number, content) for content in append.contents]
        balances = [_balance_row(number, change) for change in ordered(append.balances)]
        self._stream_rows += [self._stream_row(number, part) for part in append.streams]
        self._event_rows += events
        self._content_rows += contents
        self._balance_rows += balances
        if append.claim is not None:
            self._claim_rows.append(_claim_row(number, append.claim))
        if append.cache is not None:
            self._entry_rows.append(_entry_row(number, append.cache))
        self._key_rows += [_key_row(number, key) for key in append.keys]
        self._erased = append.erased  # such an append is a batch of its own
        self.appends.append(append)

    def call(self) -> tuple[Call, list[bytes]]:
        """The call that can do all of it, and its arguments."""
        optional = (self._content_rows, self._claim_rows, self._entry_rows, self._balance_rows)
        with_keys = bool(self._key_rows or self._erased)
        call = APPEND_WITH_KEYS if with_keys else append_call(tuple(map(bool, optional)))
        arguments = [
            struct.pack(">i", len(self.appends)),
            pg.texts(tuple(self._streams)),
            *encoded(STREAM, self._stream_rows),
            *encoded(EVENT, self._event_rows),
        ]
        for columns, rows in zip(OPTIONAL, optional, strict=True):
            if rows or with_keys:
                arguments += encoded(columns, rows)
        if with_keys:
            arguments += (*encoded(KEY, self._key_rows), pg.texts(self._erased))
        return call, arguments

    def results(self, answer: Sequence[bytes | None]) -> list[Outcome]:
        """The function's row (status, first, last, at, versions, refused, taken) as one result an append."""
        status, first, last, at, versions, refused = map(pg.integers, answer[:-1])
        holders = iter(json.loads(answer[-1] or "[]"))
        triples = iter(zip(refused[::3], refused[1::3], refused[2::3], strict=True))
        results: list[Outcome] = []
        after = 0
        for index, append in enumerate(self.appends):
            before, after = after, after + len(append.streams)
            if status[index] in (_APPENDED, _DUPLICATE):
                results.append(
                    Appended(
                        first_position=first[index],
                        last_position=last[index],
                        versions=tuple(versions[before:after]),
                        recorded_at=Timestamp(at[index]),
                        duplicate=status[index] == _DUPLICATE,
                    )
                )
            elif status[index] == _CONFLICT:
                part = append.streams[first[index] - 1 - before]
                results.append(VersionConflict(part.stream, part.expected, last[index]))
            elif status[index] == _REFUSED:
                results.append(self._refusal(first[index] - 1, *next(triples)))
            elif status[index] == _TAKEN:
                results.append(KeyTaken(run=next(holders), same_request=bool(last[index])))
            else:
                results.append(
                    EventIdReused("event ids came again with other content or in another batch; nothing was written")
                )
        return results

    def _refusal(self, row: int, limit: int, held: int, settled: int) -> HoldRefused:
        _, _, scope, period, _, _, needed, _ = self._balance_rows[row]
        return HoldRefused(scope=scope, period=period, limit=limit, held=held, settled=settled, needed=needed)

    def _stream_row(self, number: int, part: StreamAppend) -> Row:
        index = self._streams.setdefault(part.stream, len(self._streams) + 1)
        return number, index, _expected(part.expected), len(part.events)


def _expected(expected: ExpectedVersion) -> int:
    """A version, or what the function takes for the other expectations."""
    match expected:
        case LogEnd(position=position):
            return _AT_END - position
        case Expected():
            return _EXPECTED[expected]
        case _:
            return expected


def _event_row(stream: str, event: NewEvent) -> Row:
    return (
        event.event_id,
        event.type,
        event.schema_version,
        event.occurred_at,
        event.causation_id,
        event.correlation_id,
        event.actor,
        event.payload,
        event_hash(stream, event),
    )


def _content_row(number: int, content: Content) -> Row:
    return number, content.ref, content.stream, content.subject, content.salt, content.stored


def _key_row(number: int, key: ContentKey) -> Row:
    return number, key.id, key.owner, key.subject, key.wrapped_by, key.wrapped


def _claim_row(number: int, claim: IdempotencyClaim) -> Row:
    return number, claim.owner, claim.key, claim.fingerprint, claim.run


def _entry_row(number: int, entry: CacheEntry) -> Row:
    return number, entry.owner, entry.fingerprint, entry.run, entry.attempt, entry.expires_at


def _balance_row(number: int, change: BalanceChange) -> Row:
    match change:
        case BalanceHold():
            return number, "hold", change.scope, change.period, change.money, None, change.amount, 0
        case BalanceSettle():
            at = change.held_at
            return number, "settle", change.scope, change.period, change.money, at, change.held, change.spent
        case BudgetLimit():
            return number, "limit", change.scope, change.period, None, None, change.limit, 0
    assert_never(change)
