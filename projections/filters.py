"""Conditions on a read model's rows, from words to SQL. Values are in the columns' units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..domain.errors import InvalidRequest

TAG = "tag:"
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in", "contains")
Value = str | int | None | Sequence[str | int]


class Condition(NamedTuple):
    """`field op value`: `in` takes several values, `contains` a text in any case; null only = and !=."""

    field: str  # a column, or tag:KEY
    op: str
    value: Value


class Sql(NamedTuple):
    """A piece of SQL with its parameters."""

    text: str
    parameters: tuple[object, ...] = ()


def tag_of(name: str) -> str | None:
    """The key of `tag:KEY`; None for another field."""
    return name.removeprefix(TAG) if name.startswith(TAG) else None


def expression(name: str, fields: Mapping[str, str], tags: str) -> Sql:
    """A field's value. Raises InvalidRequest for one that is not there."""
    key = tag_of(name)
    if key is not None:
        return Sql(f"({tags} ->> CAST(? AS TEXT))", (key,))
    if name not in fields:
        raise InvalidRequest(f"{name!r} is no field here: expected one of {', '.join(fields)}, tag:KEY")
    return Sql(fields[name])


def where(conditions: Iterable[Condition], fields: Mapping[str, str], tags: str) -> Sql:
    """All of the conditions. Raises InvalidRequest for a field or an operator that is not there."""
    parts = [_condition(one, expression(one.field, fields, tags)) for one in conditions]
    parameters = tuple(value for part in parts for value in part.parameters)
    return Sql(" AND ".join(["true", *(part.text for part in parts)]), parameters)


def _condition(one: Condition, field: Sql) -> Sql:
    field_, op, value = one
    if op not in OPERATORS:
        raise InvalidRequest(f"{op!r} is no operator: expected one of {' '.join(OPERATORS)}")
    if value is None:
        if op not in ("=", "!="):
            raise InvalidRequest(f"{field_} {op} null compares with nothing: expected = or !=")
        return Sql(f"{field.text} IS {'NOT ' if op == '!=' else ''}NULL", field.parameters)
    if op == "in":
        values = (value,) if isinstance(value, str | int) else tuple(value)
        marks = ", ".join("?" * len(values)) or "NULL"
        return Sql(f"{field.text} IN ({marks})", (*field.parameters, *values))
    if not isinstance(value, str | int):
        raise InvalidRequest(f"{field_} {op}: expected one value; several go with `in`")
    if op == "contains":
        pattern = "".join(f"!{mark}" if mark in "!%_" else mark for mark in str(value).lower())
        return Sql(f"lower({field.text}) LIKE ? ESCAPE '!'", (*field.parameters, f"%{pattern}%"))
    return Sql(f"{field.text} {op} ?", (*field.parameters, value))
