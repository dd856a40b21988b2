"""Exports: exact, whole, readable by others, and of any size."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.domain.errors import ConfigurationError
from model_orchestrator.domain.units import Usd
from model_orchestrator.infrastructure import exports
from model_orchestrator.infrastructure.exports import FORMATS, Column, Kind, Row, export, export_async, writer

COLUMNS = (
    Column("run_id"),
    Column("attempts", Kind.INTEGER),
    Column("cost", Kind.MONEY),
    Column("confidence", Kind.SHARE),
    Column("started_at", Kind.TIME),
    Column("tags", Kind.TAGS),
)
AT = 1_795_545_000_123_456
ROW: Row = ("run-1", 2, Usd("0.0000243"), Decimal("0.8"), AT, {"team": "core"})
EMPTY: Row = ("run-2", None, None, None, None, None)


def exported(format: str, rows: list[Row], columns: tuple[Column, ...] = COLUMNS, **options: Any) -> bytes:
    file = io.BytesIO()
    export(rows, writer(format, file, columns, **options))
    return file.getvalue()


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
def test_tags_are_in_one_order(format: str) -> None:
    """SQLite and a history folder give them by name, PostgreSQL by length first."""
    by_length = exported(format, [("x", 1, None, None, None, {"team": "core", "customer": "ACME"})])
    assert by_length == exported(format, [("x", 1, None, None, None, {"customer": "ACME", "team": "core"})])


def test_csv() -> None:
    """A header, exact figures, nothing for what is not known, and lines that end as RFC 4180 says."""
    assert exported("csv", [ROW, EMPTY]).decode() == (
        "run_id,attempts,cost,confidence,started_at,tags\r\n"
        'run-1,2,0.0000243,0.8,2026-11-24T18:30:00.123456Z,"{""team"": ""core""}"\r\n'
        "run-2,,,,,\r\n"
    )


def test_json() -> None:
    """An array of objects; money is a string of digits."""
    first = {
        "run_id": "run-1",
        "attempts": 2,
        "cost": "0.0000243",
        "confidence": "0.8",
        "started_at": "2026-11-24T18:30:00.123456Z",
        "tags": {"team": "core"},
    }
    assert json.loads(exported("json", [ROW, EMPTY])) == [first, dict.fromkeys(first) | {"run_id": "run-2"}]
    assert json.loads(exported("json", [])) == []
    lines = exported("jsonl", [ROW, EMPTY]).splitlines()
    assert [json.loads(line) for line in lines] == json.loads(exported("json", [ROW, EMPTY]))


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=5))
def test_csv_reads_back(texts: list[str]) -> None:
    """Every character, quotes and line ends included, where nothing is guarded."""
    data = exported("csv", [[text, text] for text in texts], (Column("a"), Column("b")), guard=False)
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert rows == [["a", "b"], *([text, text] for text in texts)]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|'/C calc'!A0"])
def test_no_text_becomes_a_formula(text: str) -> None:
    """A spreadsheet shows it; figures below zero stay figures."""
    columns = (Column("category"), Column("cost", Kind.MONEY))
    data = exported("csv", [(text, Decimal(-1))], columns).decode()
    assert list(csv.reader(io.StringIO(data, newline="")))[1] == [f"'{text}", "-1"]


@given(st.lists(st.decimals(-(10**20), 10**20, places=12), max_size=5))
def test_no_digit_is_lost(amounts: list[Decimal]) -> None:
    """In any of the texts."""
    columns = (Column("cost", Kind.MONEY),)
    rows: list[Row] = [(amount,) for amount in amounts]
    lines = exported("csv", rows, columns).decode().splitlines()[1:]
    assert [Decimal(line) for line in lines] == amounts
    assert [Decimal(one["cost"]) for one in json.loads(exported("json", rows, columns))] == amounts


def test_parquet(tmp_path: Path) -> None:
    """Typed columns, exact money, and a row group every so many rows."""
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "costs.parquet"
    with path.open("wb") as file:
        export([ROW, EMPTY] * exports.BATCH, writer("parquet", file, COLUMNS))
    table = parquet.read_table(path)
    assert parquet.ParquetFile(path).num_row_groups == 2
    assert table.num_rows == 2 * exports.BATCH
    first = table.slice(0, 1).to_pylist()[0]
    assert (first["cost"], first["confidence"], first["tags"]) == (
        Decimal("0.0000243"),
        Decimal("0.8"),
        [("team", "core")],
    )
    assert first["started_at"].timestamp() * 1_000_000 == pytest.approx(AT)
    assert table.slice(1, 1).to_pylist()[0] == dict.fromkeys(first) | {"run_id": "run-2"}


def test_parquet_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"model-orchestrator\[parquet\]"):
        writer("parquet", io.BytesIO(), COLUMNS)


class _Nowhere(io.RawIOBase):
    """Counts what is written, and keeps none of it."""

    written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += len(data)
        return len(data)


@pytest.mark.parametrize("format", [one for one in FORMATS if one != "parquet"])
def test_memory_does_not_grow_with_the_rows(format: str) -> None:
    """A hundred times the rows need no more."""

    def peak(count: int) -> int:
        file = _Nowhere()
        tracemalloc.start()
        rows: Iterator[Row] = (ROW for _ in range(count))
        export(rows, writer(format, file, COLUMNS))  # type: ignore[arg-type]
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert file.written > 50 * count
        return highest

    peak(10)
    assert peak(20_000) < peak(2_000) + 100_000


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
def test_rows_may_be_read_as_they_come(format: str) -> None:
    """The same file from an asynchronous source."""

    async def rows() -> AsyncIterator[Row]:
        for _ in range(1500):
            yield ROW

    file = io.BytesIO()
    asyncio.run(export_async(rows(), writer(format, file, COLUMNS)))
    assert file.getvalue() == exported(format, [ROW] * 1500)
