"""Data sets as files: JSON lines or CSV, plain or gzip, one prompt a row with every model's outcome.

What cannot be used is an error that names the file and the line; nothing is skipped.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

from ..domain.dataset import Example
from ..domain.errors import InvalidRequest
from .dataset_csv import Column, csv_rows
from .dataset_rows import Damaged, example

GZIP = b"\x1f\x8b"
LONGEST = 50_000_000  # characters of a line


def read_examples(path: Path, columns: Mapping[str, Column] | None = None) -> Iterator[Example]:
    """Every prompt of the file, the contaminated ones included, in constant memory but for 8 bytes of each id.

    By its name a .csv file is CSV, whose `columns` say what they hold where their headings do not. Raises
    InvalidRequest for a file that cannot be read, has no rows, or has one that cannot be used.
    """
    seen, models = set[bytes](), frozenset[str]()
    with opened(path) as file:
        rows = csv_rows(file, str(path), columns or {}) if is_csv(path) else _rows(file, path)
        for number, row in rows:
            try:
                found = example(row)
                models = models or frozenset(found.outcomes)
                _check_like_the_others(found, models, seen)
            except Damaged as error:
                raise _off(path, number, str(error)) from None
            yield found
    if not models:
        expected = "a heading, then a row a prompt" if is_csv(path) else "one JSON object a line, a prompt each"
        raise InvalidRequest(f"{path}: it has no rows; expected {expected}")


def is_csv(path: Path) -> bool:
    """Whether the file is CSV, by its name."""
    return path.name.lower().endswith((".csv", ".csv.gz"))


def _check_like_the_others(found: Example, models: frozenset[str], seen: set[bytes]) -> None:
    """A row has an id of its own and the models that every row has. Raises Damaged."""
    digest = hashlib.blake2b(found.id.encode(), digest_size=8).digest()
    if digest in seen:
        raise Damaged(f"id {found.id!r} stands on an earlier line too; each prompt needs its own")
    seen.add(digest)
    if (here := frozenset(found.outcomes)) != models:
        lacks, more = ", ".join(sorted(models - here)), ", ".join(sorted(here - models))
        said = [f"it lacks {lacks}" if lacks else "", f"the lines before lack {more}" if more else ""]
        raise Damaged(f"models: every line needs the same ones; {' and '.join(one for one in said if one)}")


@contextmanager
def opened(path: Path) -> Iterator[IO[str]]:
    """The text of a file, plain or gzip by its first bytes. Raises InvalidRequest where it cannot be read."""
    if path.is_fifo():
        raise InvalidRequest(f"{path} is a pipe, and a data set is read more than once: give a file")
    try:
        with path.open("rb") as raw:
            packed = raw.peek(2)[:2] == GZIP
            bytes_: Any = gzip.GzipFile(fileobj=raw) if packed else nullcontext(raw)
            with bytes_ as file, TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
                yield text
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InvalidRequest(f"{path}: its gzip data is damaged or cut short; get the file again") from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"{path}: it is not UTF-8 text") from None
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror or error}") from None


def _rows(file: IO[str], path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    while text := file.readline(LONGEST):
        number += 1
        if len(text) == LONGEST:
            raise _off(path, number, f"it is longer than {LONGEST:,} characters")
        if text.strip():
            yield number, _object(text, path, number)


def _object(text: str, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(text, parse_float=Decimal)
    except json.JSONDecodeError as error:
        raise _off(path, number, f"it is not JSON: {error.msg} (at character {error.pos + 1})") from None
    except (ArithmeticError, ValueError, RecursionError):
        raise _off(path, number, "it is not JSON: a number is too long, or it is nested too deeply") from None
    if not isinstance(row, dict):
        raise _off(path, number, 'it is not a JSON object such as {"id": ..., "prompt": ..., "models": {...}}')
    return row


def _off(path: Path, number: int, why: str) -> InvalidRequest:
    return InvalidRequest(f"{path}, line {number}: {why}")
