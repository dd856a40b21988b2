"""Conditions as SQL: what they select is what they say, on both databases."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC
from typing import Any, assert_never

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.application.dates import Calendar
from model_orchestrator.application.filters import parse_filter
from model_orchestrator.domain.filters import (
    RUN_FIELDS,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Kind,
    Not,
    Op,
    Search,
    Unknown,
)
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.projections.filter_sql import Columns, Sql, filter_sql, json_tag

CALENDAR = Calendar(Timestamp(1_795_545_000_000_000), UTC)
STORED = [field for field in RUN_FIELDS.values() if field.kind not in (Kind.TAG, Kind.WORDS)]
NAMES = [field.name for field in STORED]
WORDS = ["", "a", "A", "ab%", "a_b", 'q"q', "it's", "x'); DROP TABLE runs; --", "ä", "Ä", "%s ?", "unknown", "\\"]
NUMBERS = [0, 1, 2, 999_999, 1_000_000, 2**62]

Row = dict[str, Any]
rows = st.fixed_dictionaries(
    {
        **{one.name: st.none() | st.sampled_from(WORDS if one.kind is Kind.TEXT else NUMBERS) for one in STORED},
        "tags": st.dictionaries(st.sampled_from(WORDS[1:]), st.sampled_from(WORDS), max_size=3),
    }
)


@st.composite
def comparisons(draw: st.DrawFn) -> Condition:
    field = draw(st.sampled_from([*STORED, RUN_FIELDS["tag"]]))
    key = draw(st.sampled_from(WORDS[1:])) if field.kind is Kind.TAG else None
    if draw(st.booleans()) and draw(st.booleans()):
        return Unknown(field, key)
    if field.kind in (Kind.TEXT, Kind.TAG):
        return Compare(field, draw(st.sampled_from((Op.EQUAL, Op.CONTAINS))), draw(st.sampled_from(WORDS)), key)
    return Compare(
        field, draw(st.sampled_from([op for op in Op if op is not Op.CONTAINS])), draw(st.sampled_from(NUMBERS))
    )


def joined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    some = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(inner.map(Not), some.map(AllOf), some.map(AnyOf))


conditions = st.recursive(comparisons(), joined, max_leaves=6)


def meets(row: Row, condition: Condition) -> bool:
    """What the condition says, told again without a database."""
    match condition:
        case Compare(field=field, op=op, value=value, key=key):
            actual = row["tags"].get(key) if field.kind is Kind.TAG else row[field.name]
            if actual is None:
                return False
            if op is Op.CONTAINS:
                return folded(value) in folded(actual)
            compared = (actual > value) - (actual < value)
            signs = {Op.EQUAL: (0,), Op.LESS: (-1,), Op.AT_MOST: (-1, 0), Op.MORE: (1,), Op.AT_LEAST: (0, 1)}
            return compared in signs[op]
        case Unknown(field=field, key=key):
            return (row["tags"].get(key) if field.kind is Kind.TAG else row[field.name]) is None
        case Not(condition=inner):
            return not meets(row, inner)
        case AllOf(conditions=inner_all):
            return all(meets(row, one) for one in inner_all)
        case AnyOf(conditions=inner_any):
            return any(meets(row, one) for one in inner_any)
        case Search():
            raise AssertionError("no text here")
    assert_never(condition)


def folded(text: Any) -> str:
    return "".join(chr(ord(one) + 32) if "A" <= one <= "Z" else one for one in str(text))


def columns(dialect: str) -> Columns:
    return Columns(dialect=dialect, of={name: f'"{name}"' for name in NAMES}, tag=json_tag(dialect, "tags"))


def create(dialect: str) -> str:
    number = "bigint" if dialect == "postgresql" else "integer"
    kinds = [f'"{one.name}" {"text" if one.kind is Kind.TEXT else number}' for one in STORED]
    return f"CREATE TEMPORARY TABLE runs (id integer, tags text, {', '.join(kinds)})"


def values(number: int, row: Row) -> list[object]:
    return [number, json.dumps(row["tags"]), *(row[name] for name in NAMES)]


@given(st.lists(rows, max_size=8), conditions)
def test_sqlite_selects_what_the_condition_says(table: list[Row], condition: Condition) -> None:
    """Whatever the rows and the values, quotes and wildcards included."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(create("sqlite"))
        places = ", ".join("?" * (len(NAMES) + 2))
        connection.executemany(f"INSERT INTO runs VALUES ({places})", [values(*one) for one in enumerate(table)])
        where = filter_sql(condition, columns("sqlite"))
        found = connection.execute(f"SELECT id FROM runs WHERE {where.text} ORDER BY id", where.parameters).fetchall()
    assert [number for (number,) in found] == [number for number, row in enumerate(table) if meets(row, condition)]


def test_postgresql_selects_the_same(postgres_url: str) -> None:
    """The same law, on one connection."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(create("postgresql"))

        @given(st.lists(rows, max_size=5), conditions)
        def law(table: list[Row], condition: Condition) -> None:
            connection.execute("DELETE FROM runs")
            places = ", ".join(["%s"] * (len(NAMES) + 2))
            for one in enumerate(table):
                connection.execute(f"INSERT INTO runs VALUES ({places})", values(*one))
            where = filter_sql(condition, columns("postgresql"))
            query = f"SELECT id FROM runs WHERE {where.text} ORDER BY id".replace("?", "%s")
            found = connection.execute(query, where.parameters)
            expected = [number for number, row in enumerate(table) if meets(row, condition)]
            assert [number for (number,) in found.fetchall()] == expected

        law()


def test_nothing_a_user_wrote_is_in_the_sql() -> None:
    """Values and keys are bound."""
    for text in ("category = zzz", "tag:zzz = zzz", "category in (zzz, zzz)", "model ~ zzz"):
        for dialect in ("sqlite", "postgresql"):
            assert "zzz" not in filter_sql(parse_filter(text, RUN_FIELDS, CALENDAR), columns(dialect)).text


def test_a_comparison_can_use_an_index() -> None:
    """The column stands alone on its side."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(create("sqlite"))
        connection.execute("CREATE INDEX started ON runs (started)")
        where = filter_sql(parse_filter("started = 2026-11", RUN_FIELDS, CALENDAR), columns("sqlite"))
        plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM runs WHERE {where.text}", where.parameters)
        assert "USING INDEX started" in plan.fetchone()[3]


def test_words_are_searched_where_the_query_can() -> None:
    """A query without texts says so."""
    with pytest.raises(LookupError):
        filter_sql(Search("a"), columns("sqlite"))
    searching = Columns(dialect="sqlite", of={}, search=lambda words: Sql("run IN (?)", (words,)))
    assert filter_sql(Search('a "b'), searching) == Sql("run IN (?)", ('a "b',))
