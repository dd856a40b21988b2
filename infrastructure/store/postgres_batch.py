"""A batch of appends as the arguments of `log.append_events_v1`, and its answer as results."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from itertools import chain, compress, repeat
from operator import or_
from typing import Any, assert_never

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

Row = tuple[Any, ...]
_EXPECTED = {Expected.ANY: -1, Expected.NONE: -2, Expected.EXISTS: -3}
_AT_END = -4  # less the position the log must end at
_APPENDED, _CONFLICT, _REFUSED, _DUPLICATE, _TAKEN = 0, 1, 2, 3, 5

Encoder = Callable[[Any], bytes]
Columns = dict[str, Encoder]  # lists of the function by name, and how each is encoded
_STREAM: Columns = {"s_append": pg.int4s, "s_stream": pg.int4s, "s_expected": pg.int8s, "s_events": pg.int4s}
_EVENT: Columns = {
    "e_id": pg.byteas,
    "e_type": pg.texts,
    "e_schema": pg.int4s,
    "e_occurred": pg.int8s,
    "e_causation": pg.texts,
    "e_correlation": pg.texts,
    "e_actor": pg.texts,
    "e_payload": pg.texts,
    "e_hash": pg.byteas,
}
_CONTENT: Columns = {
    "c_append": pg.int4s,
    "c_ref": pg.texts,
    "c_stream": pg.texts,
    "c_subject": pg.texts,
    "c_salt": pg.byteas,
    "c_body": pg.byteas,
}
_CLAIM: Columns = {
    "k_append": pg.int4s,
    "k_owner": pg.texts,
    "k_key": pg.texts,
    "k_fingerprint": pg.byteas,
    "k_run": pg.texts,
}
_ENTRY: Columns = {
    "a_append": pg.int4s,
    "a_owner": pg.texts,
    "a_fingerprint": pg.byteas,
    "a_run": pg.texts,
    "a_attempt": pg.int4s,
    "a_expires": pg.int8s,
}
_BALANCE: Columns = {
    "b_append": pg.int4s,
    "b_kind": pg.texts,
    "b_scope": pg.texts,
    "b_period": pg.texts,
    "b_money": pg.texts,
    "b_at": pg.int8s,
    "b_held": pg.numerics,
    "b_spent": pg.numerics,
}
_KEY: Columns = {
    "x_append": pg.int4s,
    "x_id": pg.byteas,
    "x_owner": pg.texts,
    "x_subject": pg.texts,
    "x_wrapped_by": pg.byteas,
    "x_wrapped": pg.byteas,
}
_OIDS: dict[Encoder, int] = {
    pg.int4s: pg.INT4_ARRAY,
    pg.int8s: pg.INT8_ARRAY,
    pg.texts: pg.TEXT_ARRAY,
    pg.byteas: pg.BYTEA_ARRAY,
    pg.numerics: pg.NUMERIC_ARRAY,
}


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one of the database's functions that append, with the lists that have something."""

    name: str  # of the prepared statement
    statement: str
    types: tuple[int, ...]
    formats: tuple[int, ...]

    @classmethod
    def of(cls, function: str, columns: Columns) -> Call:
        """The function with the number of appends, the streams and these lists; those left out are empty."""
        types = (pg.INT4, pg.TEXT_ARRAY, *(_OIDS[encoder] for encoder in columns.values()))
        formats = (1, 1, *(0 if encoder is pg.numerics else 1 for encoder in columns.values()))
        places = ", ".join(f"{name} => ${n}" for n, name in enumerate(("appends", "streams", *columns), 1))
        statement = f"SELECT status, first, last, at, versions, refused, taken FROM log.{function}({places})"
        families = "".join(dict.fromkeys(name[0] for name in columns))
        return cls(f"{function}_{families}", statement, types, formats)


@cache
def _call(with_lists: tuple[bool, ...]) -> Call:
    """A call with those of _OPTIONAL that have something."""
    columns = dict(chain.from_iterable(one.items() for one in compress(_OPTIONAL, with_lists)))
    return Call.of("append_events_v1", _STREAM | _EVENT | columns)


_OPTIONAL = (_CONTENT, _CLAIM, _ENTRY, _BALANCE)
_EVERYTHING = reduce(or_, _OPTIONAL, _STREAM | _EVENT)
APPEND = _call((True,) * len(_OPTIONAL))
_WITH_KEYS = Call.of("append_with_keys_v1", _EVERYTHING | _KEY | {"erased": pg.texts})


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
        call = _WITH_KEYS if with_keys else _call(tuple(map(bool, optional)))
        arguments = [
            struct.pack(">i", len(self.appends)),
            pg.texts(tuple(self._streams)),
            *_encoded(_STREAM, self._stream_rows),
            *_encoded(_EVENT, self._event_rows),
        ]
        for columns, rows in zip(_OPTIONAL, optional, strict=True):
            if rows or with_keys:
                arguments += _encoded(columns, rows)
        if with_keys:
            arguments += (*_encoded(_KEY, self._key_rows), pg.texts(self._erased))
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


def _encoded(columns: Columns, rows: Sequence[Row]) -> list[bytes]:
    lists = zip(*rows, strict=True) if rows else repeat(())
    return [encode(values) for encode, values in zip(columns.values(), lists, strict=False)]
