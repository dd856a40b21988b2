"""Files that are whole or not there: written under another name, brought to the disk, then named."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .layout import UNFINISHED
from .schema import Column, Kind, arrow, arrow_schema

_REPEATING = frozenset(  # columns worth a dictionary
    "stream type actor strategy category tags money run_money provider owner subject catalogue status stop_reason "
    "error cancelled_by cached_model charged model purpose finish_reason response_model price_card charged_money "
    "evidence reconciled_by from_model to_model reason correlation_id run".split()
)


class ParquetFile:
    """One file in the making; its rows come in groups."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        """Makes the folder. Raises ConfigurationError without pyarrow, OSError."""
        pyarrow = arrow()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._unfinished = path.with_name(path.name + UNFINISHED)
        self._columns = columns
        self._schema = arrow_schema(columns)
        self._pyarrow = pyarrow
        self._file = self._unfinished.open("wb")
        repeating = [one.name for one in columns if one.name in _REPEATING and one.kind is Kind.TEXT]
        self._writer = pyarrow.parquet.ParquetWriter(
            self._file, self._schema, compression="zstd", use_dictionary=repeating, store_schema=False
        )
        self.rows = 0

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """A row group."""
        if rows:
            columns = zip(self._columns, self._schema, zip(*rows, strict=True), strict=True)
            arrays = [_array(self._pyarrow, column, field.type, values) for column, field, values in columns]
            self._writer.write_table(self._pyarrow.Table.from_arrays(arrays, schema=self._schema))
            self.rows += len(rows)

    def finish(self, notes: Mapping[str, str] | None = None) -> int:
        """The end of the file, with notes in its footer; then its name. Its size in bytes."""
        if notes:
            self._writer.add_key_value_metadata(dict(notes))
        self._writer.close()
        size = self._file.tell()
        _name(self._file, self._unfinished, self._path)
        return size


def write_text(path: Path, text: str) -> None:
    """A small file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + UNFINISHED)
    file = unfinished.open("wb")
    file.write(text.encode())
    _name(file, unfinished, path)


def _name(file: Any, unfinished: Path, path: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
    unfinished.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    if os.name == "nt":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _array(pyarrow: Any, column: Column, type_: Any, values: Sequence[Any]) -> Any:
    match column.kind:
        case Kind.TAGS:
            cells = [() if one == "{}" else tuple(msgspec.json.decode(one).items()) for one in values]
            return pyarrow.array(cells, type=type_)
        case Kind.MONEY:  # the integer behind a decimal of 12 places is the picodollars
            whole = pyarrow.array(values, type=pyarrow.int64()).cast(pyarrow.decimal128(38, 0))
            return pyarrow.Array.from_buffers(type_, len(whole), whole.buffers())
        case Kind.TIME:
            return pyarrow.array(values, type=pyarrow.int64()).cast(type_)
    return pyarrow.array(values, type=type_)
