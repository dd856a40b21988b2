"""A data set by what a user calls it: for now, a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..domain.dataset import Example
from ..domain.errors import InvalidRequest
from .dataset_files import read_examples


def open_dataset(text: str) -> Iterator[Example]:
    """Every prompt of the file, the contaminated ones included. Raises InvalidRequest where there is none."""
    path = Path(text)
    if not path.is_file():
        raise InvalidRequest(f"there is no data set {text!r}: name a file of JSON lines")
    return read_examples(path)
