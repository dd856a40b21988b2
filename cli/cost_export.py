"""Writing rows of any number to stdout or into a file that is whole or not there."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..domain.errors import InvalidRequest

if TYPE_CHECKING:
    from ..infrastructure.exports import Column, Row


def format_of(text: str) -> str:
    """The format's name. Raises InvalidRequest."""
    from ..infrastructure.exports import FORMATS

    if text not in FORMATS:
        raise InvalidRequest(f"format {text!r} is not possible: expected {', '.join(FORMATS)}")
    return text


def write_rows(format: str, columns: list[Column], rows: Iterable[Row], output: Path | None = None) -> None:
    """Every row as it is read. Raises OSError, and ConfigurationError where the format's package is missing."""
    from ..infrastructure.exports import export, writer

    with _opened(output) as file:
        export(rows, writer(format, file, columns))


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    if output is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if output.exists() and not output.is_file():  # a pipe or a device
        with output.open("wb") as file:
            yield file
        return
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
