"""The lines of a provider's usage export: CSV or JSONL, each a paid call or what is wrong with it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any

from ..domain.errors import InvalidRequest
from ..domain.time_ranges import timestamp_of
from ..domain.units import MILLION, Timestamp, picodollars

COLUMNS = {  # what exports call them, as compared: small letters, all else `_`; the first that is filled counts
    "request_id": ("request_id", "requestid", "provider_request_id", "generation_id", "completion_id", "id"),
    "time": ("time", "timestamp", "created_at", "created", "start_time", "started_at", "request_time", "date"),
    "model": ("model", "model_id", "model_name", "model_version"),
    "input_tokens": ("input_tokens", "prompt_tokens", "tokens_prompt", "tokens_in"),
    "output_tokens": ("output_tokens", "completion_tokens", "tokens_completion", "tokens_out"),
    "cost": ("cost", "cost_usd", "total_cost", "cost_in_usd", "amount", "amount_usd", "total", "usage_usd", "price"),
}
LONGEST = 1_000_000  # characters of a line
MOST = 2**63 - 1  # picodollars
_AMOUNT = re.compile(r"(?:\$|USD)?\s*(\d{1,12}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,2})?)")
_NUMBER = re.compile(r"\d{9,17}(\.\d{1,9})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    """One call as the provider says it was; None where it does not say. `error`: the line cannot be used."""

    number: int  # in the file, from 1
    request_id: str | None = None
    time: Timestamp | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: int | None = None  # picodollars
    error: str | None = None


def read_usage(path: Path) -> Iterator[UsageLine]:
    """Every line that is not blank; by its name a .csv file has a heading, any other is JSONL.

    Raises InvalidRequest where the file cannot be read at all, or has no column to match calls by.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from _csv_lines(file, path) if path.suffix.lower() == ".csv" else _json_lines(file)
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror}") from None


def _json_lines(file: IO[str]) -> Iterator[UsageLine]:
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            found = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            yield UsageLine(number=number, error=f"it is not JSON: {error}")
            continue
        if isinstance(found, Mapping):
            yield _line(number, found)
        else:
            yield UsageLine(number=number, error="it is not a JSON object")


def _csv_lines(file: IO[str], path: Path) -> Iterator[UsageLine]:
    csv.field_size_limit(LONGEST)
    reader = csv.DictReader(file, restkey="", strict=True)
    try:
        names = {_plain(name) for name in reader.fieldnames or ()}
        if not names & set(COLUMNS["request_id"]) and not (
            names & set(COLUMNS["time"]) and names & set(COLUMNS["model"])
        ):
            raise InvalidRequest(f"{path}: expected a column request_id, or time and model; its first line names them")
        for row in reader:
            number = reader.line_num
            if "" in row:
                yield UsageLine(number=number, error="it has more cells than the heading has columns")
            else:
                yield _line(number, row)
    except csv.Error as error:  # nothing after it can be trusted to be a row
        yield UsageLine(number=reader.line_num, error=f"it is not CSV ({error}); the lines after it were not read")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _line(number: int, row: Mapping[str, Any]) -> UsageLine:
    given = {_plain(str(name)): value for name, value in row.items() if value is not None and str(value).strip()}
    found = {field: next((given[name] for name in names if name in given), None) for field, names in COLUMNS.items()}
    try:
        line = UsageLine(
            number=number,
            request_id=_text("request_id", found["request_id"]),
            time=_time(found["time"]),
            model=_text("model", found["model"]),
            input_tokens=_count("input_tokens", found["input_tokens"]),
            output_tokens=_count("output_tokens", found["output_tokens"]),
            cost=_cost(found["cost"]),
        )
    except ValueError as error:
        return UsageLine(number=number, error=str(error))
    if line.request_id is None and (line.time is None or line.model is None):
        return UsageLine(number=number, error="it has neither a request id, nor a time and a model")
    return line


def _text(name: str, value: object) -> str | None:
    if value is None:
        return None
    text = str(value).strip()
    if isinstance(value, Mapping | list | bool) or not text.isprintable() or len(text) > 500:
        raise ValueError(f"{name}: expected a name")
    return text


def _count(name: str, value: object) -> int | None:
    if value is None:
        return None
    text = str(value).strip().replace(",", "")
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,15}(\.0+)?", text):
        raise ValueError(f"{name}: expected a whole number, got {str(value)[:40]!r}")
    return int(text.partition(".")[0])


def _cost(value: object) -> int | None:
    if value is None:
        return None
    text = str(value).strip().replace(",", "")
    found = None if isinstance(value, bool) else _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"cost: expected USD, 0 or more, such as 0.0042, got {str(value)[:40]!r}")
    try:
        picos = picodollars(Decimal(found[1]))
    except InvalidOperation:
        picos = MOST + 1
    if picos > MOST:
        raise ValueError(f"cost: {str(value)[:40]} is more than an amount can be")
    return picos


def _time(value: object) -> Timestamp | None:
    """ISO 8601, UTC where it names no zone; or seconds, milli- or microseconds since 1970."""
    if value is None:
        return None
    text = str(value).strip()
    if not isinstance(value, bool) and _NUMBER.fullmatch(text):
        size = len(text.partition(".")[0])
        scale = MILLION if size <= 11 else 1000 if size <= 14 else 1
        return Timestamp(int(Decimal(text) * scale))
    try:
        if len(text) <= 10:
            raise ValueError
        moment = datetime.fromisoformat(text.removesuffix(" UTC").replace(" +", "+"))
        return timestamp_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValueError(f"time: expected a moment such as 2026-11-24T10:00:00Z, got {text[:40]!r}") from None
