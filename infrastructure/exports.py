"""Rows of any number into CSV, JSON, JSON lines or Parquet, a few at a time: memory does not grow with the rows.

Money stays exact everywhere: plain digits in text, decimal128(38, 12) in Parquet. An unknown value is empty in CSV and
null elsewhere. In CSV a text that a spreadsheet would take for a formula gets an apostrophe before it; use another
format, or `guard=False`, where every character counts.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import BinaryIO, Protocol

from ..domain.errors import ConfigurationError
from ..domain.units import plain

FORMATS = ("csv", "json", "jsonl", "parquet")
BATCH = 10_000  # rows of a Parquet row group
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_SCALE = 12  # decimals of a picodollar

Value = str | int | Decimal | Mapping[str, str] | None
Row = Sequence[Value]


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    INTEGER = "integer"
    MONEY = "money"  # Decimal, USD
    SHARE = "share"  # Decimal, 0 to 1, of at most 6 decimals
    TIME = "time"  # microseconds since 1970-01-01, UTC; ISO 8601 in text
    TAGS = "tags"  # a mapping; one JSON object in CSV


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an export."""

    name: str
    kind: Kind = Kind.TEXT


class RowWriter(Protocol):
    """Writes rows as they come; `finish` ends the file, which is not closed."""

    def write(self, rows: Iterable[Row]) -> None:
        """Some rows more."""

    def finish(self) -> None:
        """What the format wants at its end."""


def writer(format: str, file: BinaryIO, columns: Sequence[Column], *, guard: bool = True) -> RowWriter:
    """A writer of the format. Raises KeyError for another, ConfigurationError where its package is missing."""
    makers: dict[str, Callable[[], RowWriter]] = {
        "csv": lambda: CsvWriter(file, columns, guard=guard),
        "json": lambda: JsonWriter(file, columns),
        "jsonl": lambda: JsonLinesWriter(file, columns),
        "parquet": lambda: ParquetWriter(file, columns),
    }
    return makers[format]()


def export(rows: Iterable[Row], writer: RowWriter) -> None:
    """Every row, then the end."""
    writer.write(rows)
    writer.finish()


async def export_async(rows: AsyncIterable[Row], writer: RowWriter) -> None:
    """Every row as it is read, then the end."""
    async for batch in _batches(rows):
        writer.write(batch)
    writer.finish()


class CsvWriter:
    """RFC 4180: commas, lines that end in CR LF, quotes where needed; UTF-8, one header line."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], *, guard: bool = True) -> None:
        self._file = file
        self._columns = columns
        self._guard = guard
        self._write([[column.name for column in columns]])

    def write(self, rows: Iterable[Row]) -> None:
        """Some rows more."""
        rows = iter(rows)
        while batch := list(islice(rows, 1000)):
            self._write([[self._cell(*pair) for pair in zip(self._columns, row, strict=True)] for row in batch])

    def finish(self) -> None:
        """Nothing is missing."""

    def _write(self, rows: list[list[str]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        self._file.write(text.getvalue().encode())

    def _cell(self, column: Column, value: Value) -> str:
        shown = _json_value(column, value)
        if shown is None:
            return ""
        text = json.dumps(shown, ensure_ascii=False) if isinstance(shown, dict) else str(shown)
        is_text = column.kind in (Kind.TEXT, Kind.TAGS)
        return f"'{text}" if self._guard and is_text and text.startswith(_FORMULA) else text


class JsonWriter:
    """One array of objects; money as strings of plain digits."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._file = file
        self._columns = columns
        self._before = b"[\n"

    def write(self, rows: Iterable[Row]) -> None:
        """Some rows more."""
        for row in rows:
            self._file.write(self._before + _json_object(self._columns, row))
            self._before = b",\n"

    def finish(self) -> None:
        """The end of the array."""
        self._file.write(b"[]\n" if self._before == b"[\n" else b"\n]\n")


class JsonLinesWriter:
    """One object a line; money as strings of plain digits."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._file = file
        self._columns = columns

    def write(self, rows: Iterable[Row]) -> None:
        """Some rows more."""
        for row in rows:
            self._file.write(_json_object(self._columns, row) + b"\n")

    def finish(self) -> None:
        """Nothing is missing."""


class ParquetWriter:
    """Parquet with a row group every BATCH rows. Raises ConfigurationError where pyarrow is not installed."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError:
            raise ConfigurationError(
                "Parquet needs the package pyarrow: install model-orchestrator[parquet], or export csv or jsonl"
            ) from None
        types = {
            Kind.TEXT: arrow.string(),
            Kind.INTEGER: arrow.int64(),
            Kind.MONEY: arrow.decimal128(38, _SCALE),
            Kind.SHARE: arrow.decimal128(7, 6),
            Kind.TIME: arrow.timestamp("us", tz="UTC"),
            Kind.TAGS: arrow.map_(arrow.string(), arrow.string()),
        }
        self._arrow = arrow
        self._columns = columns
        self._schema = arrow.schema([(column.name, types[column.kind]) for column in columns])
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[Row] = []

    def write(self, rows: Iterable[Row]) -> None:
        """Some rows more."""
        for row in rows:
            self._waiting.append(row)
            if len(self._waiting) == BATCH:
                self._write_group()

    def finish(self) -> None:
        """The last rows, and the footer that makes it a Parquet file."""
        if self._waiting:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        arrays = []
        for field, column, values in zip(self._schema, self._columns, zip(*self._waiting, strict=True), strict=True):
            cells = [sorted(one.items()) if isinstance(one, Mapping) else one for one in values]
            if column.kind in (Kind.MONEY, Kind.SHARE):  # Arrow knows the class Decimal only
                cells = [None if one is None else Decimal(str(one)) for one in cells]
            arrays.append(self._arrow.array(cells, type=field.type))
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._waiting = []


def iso_time(at: int) -> str:
    """ISO 8601 in UTC, to the microsecond where there are any."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")


def _json_value(column: Column, value: Value) -> str | int | dict[str, str] | None:
    if value is None:
        return None
    if column.kind is Kind.TIME:
        assert isinstance(value, int)
        return iso_time(value)
    if isinstance(value, Decimal):
        return plain(value)
    return dict(sorted(value.items())) if isinstance(value, Mapping) else value  # databases give tags in other orders


def _json_object(columns: Sequence[Column], row: Row) -> bytes:
    pairs = {column.name: _json_value(column, value) for column, value in zip(columns, row, strict=True)}
    return json.dumps(pairs, ensure_ascii=False).encode()


async def _batches(rows: AsyncIterable[Row]) -> AsyncIterator[list[Row]]:
    batch: list[Row] = []
    async for row in rows:
        batch.append(row)
        if len(batch) == 1000:
            yield batch
            batch = []
    if batch:
        yield batch
