"""Data sets as CSV: a row a prompt, a column a field; a model's fields are columns such as gpt-4o.score."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any

from ..domain.errors import InvalidRequest
from .dataset_rows import Damaged

FIELDS = ("id", "task", "prompt", "reference", "in_tok", "contaminated")
OF_MODEL = ("score", "answer", "text", "in_tok", "out_tok", "cost")
LONGEST_CELL = 50_000_000  # characters
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

Column = tuple[str | None, str]  # a model and its field, or None and a row's field


def parse_columns(text: str) -> dict[str, Column]:
    """What each column holds, of a map such as `prompt=question,gpt-4o=correct,gpt-4o.cost=usd`.

    A bare model's name stands for its score. Raises InvalidRequest.
    """
    columns: dict[str, Column] = {}
    for pair in text.split(","):
        field, equals, heading = (part.strip() for part in pair.partition("="))
        if not (field and equals and heading):
            raise InvalidRequest(f"--columns {pair.strip()!r}: expected FIELD=COLUMN, such as prompt=question")
        if heading in columns:
            raise InvalidRequest(f"--columns names the column {heading!r} twice")
        column = _column(field) or (field, "score")
        if column in columns.values():
            raise InvalidRequest(f"--columns says twice where {field} stands")
        columns[heading] = column
    return columns


def csv_rows(file: IO[str], path: str, columns: Mapping[str, Column]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows as the JSON lines would have them, each with the number of its last line; ids default to the row's.

    Raises InvalidRequest for a heading that does not do, and for a row, with its line.
    """
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(file, strict=True)
    try:
        headings = [heading.strip() for heading in next(reader, [])]
        fields = _fields(headings, path, columns)
        for row, cells in enumerate(reader, 1):
            if any(cell.strip() for cell in cells):
                yield reader.line_num, _row(str(row), fields, cells, len(headings))
    except csv.Error as error:
        raise InvalidRequest(f"{path}, line {reader.line_num}: it is not CSV: {error}") from None
    except Damaged as error:
        raise InvalidRequest(f"{path}, line {reader.line_num}: {error}") from None


def _fields(headings: list[str], path: str, columns: Mapping[str, Column]) -> dict[int, Column]:
    """What stands in each place of a row. Columns that are nobody's, or that the map has elsewhere, are passed over."""
    for heading in columns:
        if heading not in headings:
            raise InvalidRequest(f"{path} has no column {heading!r}: its first line names {', '.join(headings)}")
    fields: dict[int, Column] = {}
    for place, heading in enumerate(headings):
        column = columns.get(heading) or _column(heading)
        if column is None or (heading not in columns and column in columns.values()):
            continue
        if column in fields.values():
            raise InvalidRequest(f"{path} has two columns {heading!r}: its first line names {', '.join(headings)}")
        fields[place] = column
    if not any(field == "score" for _, field in fields.values()):
        raise InvalidRequest(
            f"{path} has no model's score: expected columns such as gpt-4o.score, "
            f"or --columns gpt-4o=COLUMN; its first line names {', '.join(headings) or 'nothing'}"
        )
    return fields


def _column(name: str) -> Column | None:
    """The field that a name says."""
    if name in FIELDS:
        return None, name
    model, _, field = name.rpartition(".")
    return (model, field) if model and field in OF_MODEL else None


def _row(number: str, fields: Mapping[int, Column], cells: list[str], width: int) -> dict[str, Any]:
    if len(cells) != width:
        raise Damaged(f"it has {len(cells)} cells, and the heading has {width} columns")
    row: dict[str, Any] = {"id": number, "models": {}}
    for place, (model, field) in fields.items():
        value = _value(field, cells[place], f"models.{model}." if model else "")
        target = row if model is None else row["models"].setdefault(model, {})
        if value is not None:
            target[field] = value
    return row


def _value(field: str, cell: str, where: str) -> Any:
    """A cell as its JSON value; an empty one is none."""
    text = cell.strip()
    if not text:
        return None
    try:
        if field == "contaminated":
            return TRUTH[text.lower()]
        if field == "score":
            return TRUTH[text.lower()] if text.lower() in TRUTH else Decimal(text)
        return int(text) if field in ("in_tok", "out_tok") else cell
    except (KeyError, ValueError, InvalidOperation):
        expected = {"contaminated": "true or false", "score": "a number"}.get(field, "a count of tokens")
        raise Damaged(f"{where}{field}: expected {expected}, got {text[:40]!r}") from None
