"""The database's functions that append, as they are called: with the lists that have something, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from itertools import compress, repeat
from operator import or_
from typing import Any

from . import postgres_arrays as pg

Row = tuple[Any, ...]
Encoder = Callable[[Any], bytes]
Columns = dict[str, Encoder]  # lists of the function by name, and how each is encoded
STREAM: Columns = {"s_append": pg.int4s, "s_stream": pg.int4s, "s_expected": pg.int8s, "s_events": pg.int4s}
EVENT: Columns = {
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
CONTENT: Columns = {
    "c_append": pg.int4s,
    "c_ref": pg.texts,
    "c_stream": pg.texts,
    "c_subject": pg.texts,
    "c_salt": pg.byteas,
    "c_body": pg.byteas,
}
CLAIM: Columns = {
    "k_append": pg.int4s,
    "k_owner": pg.texts,
    "k_key": pg.texts,
    "k_fingerprint": pg.byteas,
    "k_run": pg.texts,
}
ENTRY: Columns = {
    "a_append": pg.int4s,
    "a_owner": pg.texts,
    "a_fingerprint": pg.byteas,
    "a_run": pg.texts,
    "a_attempt": pg.int4s,
    "a_expires": pg.int8s,
}
BALANCE: Columns = {
    "b_append": pg.int4s,
    "b_kind": pg.texts,
    "b_scope": pg.texts,
    "b_period": pg.texts,
    "b_money": pg.texts,
    "b_at": pg.int8s,
    "b_held": pg.numerics,
    "b_spent": pg.numerics,
}
KEY: Columns = {
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


OPTIONAL = (CONTENT, CLAIM, ENTRY, BALANCE)


@cache
def append_call(with_lists: tuple[bool, ...]) -> Call:
    """A call with those of OPTIONAL that have something."""
    return Call.of("append_events_v1", reduce(or_, compress(OPTIONAL, with_lists), STREAM | EVENT))


APPEND = append_call((True,) * len(OPTIONAL))  # with every list
APPEND_WITH_KEYS = Call.of("append_with_keys_v1", reduce(or_, (*OPTIONAL, KEY), STREAM | EVENT) | {"erased": pg.texts})


def encoded(columns: Columns, rows: Sequence[Row]) -> list[bytes]:
    """The rows as one list a column."""
    lists = zip(*rows, strict=True) if rows else repeat(())
    return [encode(values) for encode, values in zip(columns.values(), lists, strict=False)]
