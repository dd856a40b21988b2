"""A data set by what a user calls it: a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..domain.dataset import Example
from ..domain.errors import InvalidRequest
from .dataset_files import read_examples

ENDINGS = (".jsonl.gz", ".jsonl")


def open_dataset(text: str, database_url: str | None = None) -> Iterator[Example]:
    """Every prompt of the set, the contaminated ones included. Raises InvalidRequest for what is not there."""
    path = Path(text)
    if not path.is_file():
        raise InvalidRequest(f"there is no data set {text!r} and no such file: name a .jsonl or .jsonl.gz file")
    return read_examples(path)


def name_of(path: Path) -> str:
    """What a file's data set is called where no name is given: the file's name without what says its format."""
    return next((path.name.removesuffix(end) for end in ENDINGS if path.name.endswith(end)), path.stem)
