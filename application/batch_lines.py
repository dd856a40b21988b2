"""The lines of a batch: JSONL or CSV, read one by one, each the options of a run or what is wrong with it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..domain.errors import InvalidRequest
from ..domain.request import ResponseFormat, Tool
from .run_options import KINDS, checked_options, nearest

FIELDS = ("prompt", "id", *KINDS)
LISTS = ("models", "stop")  # in a CSV cell separated by commas
JSON_CELLS = ("messages", "response_format", "tools")
LONGEST = 10_000_000  # characters of a line


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One line: `options` of the run, `prompt` and its `id` among them; or the `error`."""

    number: int  # in the file, from 1
    options: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def id(self) -> str | None:
        """The caller's own name of the line."""
        return self.options.get("id")


def read_batch(path: Path) -> Iterator[BatchLine]:
    """Every line that is not blank, in order; by its name a .csv file has a heading, any other is JSONL.

    Raises InvalidRequest where the file cannot be read at all.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from _csv_lines(file, path) if path.suffix.lower() == ".csv" else _json_lines(file)
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror}") from None


def _json_lines(file: IO[str]) -> Iterator[BatchLine]:
    number = 0
    while text := file.readline(LONGEST):
        number += 1
        if len(text) == LONGEST:
            while file.readline(LONGEST)[-1:] not in ("\n", ""):
                pass
            yield BatchLine(number, error=f"it is longer than {LONGEST:,} characters")
        elif text.strip():
            yield _line(number, lambda text=text: _object(text))


def _csv_lines(file: IO[str], path: Path) -> Iterator[BatchLine]:
    csv.field_size_limit(LONGEST)
    reader = csv.DictReader(file, restkey="", strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        if not {"prompt", "messages"} & set(names):
            raise InvalidRequest(f"{path} has no column prompt: its first line names the columns")
        reader.fieldnames = names
        for row in reader:
            yield _line(reader.line_num, lambda row=row: _cells(row))
    except csv.Error as error:  # nothing after it can be trusted to be a row
        yield BatchLine(reader.line_num, error=f"it is not CSV ({error}); the lines after it were not read")


def _line(number: int, read: Any) -> BatchLine:
    try:
        given = read()
        id_, prompt = given.pop("id", None), given.pop("prompt", None)
        if prompt is not None and not isinstance(prompt, str):
            raise InvalidRequest(f"prompt: expected text, got {type(prompt).__name__}")
        for name in given:
            if name not in KINDS:
                raise InvalidRequest(f"unknown field {name!r}: {nearest(name, FIELDS)}")
        options: dict[str, Any] = dict(checked_options(_objects(given)))
        if id_ is not None:
            options["id"] = str(id_)
        return BatchLine(number, {**options, "prompt": prompt})
    except InvalidRequest as error:
        return BatchLine(number, error=str(error))


def _object(text: str) -> dict[str, Any]:
    try:
        text.encode()
        found = json.loads(text)
    except UnicodeEncodeError:
        raise InvalidRequest("it is not valid UTF-8") from None
    except json.JSONDecodeError as error:
        raise InvalidRequest(f"it is not JSON: {error.msg} (at character {error.pos + 1})") from None
    except (ValueError, RecursionError):
        raise InvalidRequest("it is not JSON: a number is too long, or it is nested too deeply") from None
    if not isinstance(found, dict):
        raise InvalidRequest('it is not a JSON object such as {"prompt": "What is Python?"}')
    return found


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row's cells as values; an empty cell gives nothing."""
    if "" in row:
        raise InvalidRequest("it has more cells than the heading has columns")
    return {name: _value(name, cell.strip()) for name, cell in row.items() if cell and cell.strip()}


def _value(name: str, cell: str) -> Any:
    kinds = KINDS.get(name, (str,))
    try:
        if name == "tags":
            return dict(pair.strip().split("=", 1) for pair in cell.split(";"))
        if name in JSON_CELLS:
            return json.loads(cell)
        if name in LISTS:
            return [word.strip() for word in cell.split(",")]
        if kinds == (bool,):
            return {"true": True, "false": False}[cell.lower()]
        if str in kinds:
            return cell
        return int(cell) if kinds == (int,) else float(cell)
    except (ValueError, KeyError):
        forms = {"tags": "key=value;key=value", **dict.fromkeys(JSON_CELLS, "JSON")}
        expected = forms.get(name) or " or ".join(kind.__name__ for kind in kinds)
        raise InvalidRequest(f"{name}: expected {expected}, got {cell[:40]!r}") from None


def _objects(given: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's forms of `response_format` and `tools` as what they mean."""
    found = dict(given)
    try:
        if isinstance(shape := found.get("response_format"), dict):
            schema = shape.get("json_schema") or {}
            found["response_format"] = ResponseFormat(
                name=schema.get("name", "answer"), json_schema=schema.get("schema")
            )
        if isinstance(tools := found.get("tools"), list):
            functions = [tool.get("function", tool) for tool in tools]
            found["tools"] = [
                Tool(name=one["name"], description=one.get("description", ""), parameters=one.get("parameters", {}))
                for one in functions
            ]
    except (AttributeError, KeyError, TypeError):
        raise InvalidRequest("response_format or tools: expected them as OpenAI's API has them") from None
    return found
