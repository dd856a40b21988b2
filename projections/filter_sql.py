"""Conditions as SQL for SQLite, PostgreSQL and DuckDB, with parameters as `?`: nothing a user wrote is in the text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple, assert_never

from ..domain.errors import InvalidRequest
from ..domain.filters import AllOf, AnyOf, Compare, Condition, Field, Not, Op, Search, Unknown

TAG = "tag:"
_LOWER = {  # a to z only, on all
    "sqlite": "lower({})",
    "postgresql": 'lower({} COLLATE "C")',
    "duckdb": f"translate({{}}, '{ascii_uppercase}', '{ascii_lowercase}')",
}
_FOUND = {
    "sqlite": "instr({1}, {0}) > 0",
    "postgresql": "position({0} in {1}) > 0",
    "duckdb": "position({0} in {1}) > 0",
}
_FALSE = {"sqlite": "0", "postgresql": "false", "duckdb": "false"}


class Sql(NamedTuple):
    """A piece of SQL, and the parameters of its places in order."""

    text: str
    parameters: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a query finds the fields: SQL expressions by field name, one for a tag's value, a condition for words.

    A field that stands in none of them cannot be compiled: LookupError.
    """

    dialect: str  # sqlite, postgresql or duckdb
    of: Mapping[str, str]
    tag: Callable[[str], Sql] | None = None
    search: Callable[[str], Sql] | None = None

    def expression(self, field: Field, key: str | None) -> Sql:
        """The field's value."""
        if key is None:
            return Sql(self.of[field.name])
        if self.tag is None:
            raise LookupError(field.name)
        return self.tag(key)


def json_tag(dialect: str, column: str) -> Callable[[str], Sql]:
    """A tag's value in a column that holds the tags: a JSON object, in DuckDB a map."""
    if dialect == "duckdb":
        return lambda key: Sql(f"map_extract_value({column}, ?)", (key,))
    if dialect == "sqlite":
        return lambda key: Sql(f"(SELECT t.value FROM json_each({column}) t WHERE t.key = ?)", (key,))
    return lambda key: Sql(f"({column}::jsonb ->> CAST(? AS TEXT))", (key,))


def where(conditions: Iterable[Condition], columns: Columns) -> Sql:
    """All of the conditions. Raises InvalidRequest for a field the query lacks."""
    try:
        parts = [filter_sql(one, columns) for one in conditions]
    except LookupError as error:
        raise InvalidRequest(f"{error.args[0]!r} cannot be asked for here: {', '.join(columns.of)}, tag:KEY") from None
    parameters = tuple(value for part in parts for value in part.parameters)
    return Sql(" AND ".join(["1 = 1", *(f"({part.text})" for part in parts)]), parameters)


def grouping(name: str, columns: Columns) -> Sql:
    """The value that rows are grouped by: a field or tag:KEY. Raises InvalidRequest for one that is not there."""
    key = tag_of(name)
    if key is not None and columns.tag is not None:
        return columns.tag(key)
    if name not in columns.of:
        raise InvalidRequest(f"{name!r} is no field here: expected one of {', '.join(columns.of)}, tag:KEY")
    return Sql(columns.of[name])


def tag_of(name: str) -> str | None:
    """The key of `tag:KEY`; None for another field."""
    return name.removeprefix(TAG) if name.startswith(TAG) else None


def filter_sql(condition: Condition, columns: Columns) -> Sql:
    """The condition as an expression for WHERE, where NULL counts as not met.

    Raises LookupError for a field the query lacks.
    """
    match condition:
        case Compare():
            return _compare(condition, columns)
        case Search(words=words):
            if columns.search is None:
                raise LookupError("text")
            return columns.search(words)
        case Unknown(field=field, key=key):
            found = columns.expression(field, key)
            return Sql(f"{found.text} IS NULL", found.parameters)
        case Not(condition=inner):
            found = filter_sql(inner, columns)
            return Sql(f"NOT coalesce(({found.text}), {_FALSE[columns.dialect]})", found.parameters)
        case AllOf(conditions=conditions):
            return _joined(" AND ", conditions, columns, nothing="1 = 1")
        case AnyOf(conditions=conditions):
            return _joined(" OR ", conditions, columns, nothing="1 = 0")
    assert_never(condition)


def _compare(one: Compare, columns: Columns) -> Sql:
    found = columns.expression(one.field, one.key)
    if one.op is Op.CONTAINS:
        lower = _LOWER[columns.dialect]
        text = _FOUND[columns.dialect].format(lower.format("?"), lower.format(found.text))
        order = (found.parameters, (one.value,)) if columns.dialect == "sqlite" else ((one.value,), found.parameters)
        parameters = order[0] + order[1]
    else:
        text, parameters = f"{found.text} {one.op.value} ?", (*found.parameters, one.value)
    return Sql(text, parameters)


def _joined(word: str, conditions: tuple[Condition, ...], columns: Columns, *, nothing: str) -> Sql:
    parts = [filter_sql(one, columns) for one in conditions]
    if not parts:
        return Sql(nothing)
    text = word.join(f"({part.text})" for part in parts)
    return Sql(text, tuple(value for part in parts for value in part.parameters))
