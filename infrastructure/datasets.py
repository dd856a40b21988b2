"""A data set by what a user calls it: the name of an imported one, or a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..domain.dataset import Example
from ..domain.errors import InvalidRequest
from .dataset_files import read_examples

ENDINGS = (".jsonl.gz", ".jsonl", ".csv.gz", ".csv")


def open_dataset(text: str, database_url: str | None = None) -> Iterator[Example]:
    """Every prompt of the set, the contaminated ones included; `domain.dataset.evaluated` drops those.

    `text` is a path where it names a file or looks like one, else the name of a set in the database. Raises
    InvalidRequest for what is not there, and while iterating for a row that cannot be used.
    """
    if is_path(text):
        return read_examples(Path(text))
    raise InvalidRequest(f"there is no data set {text!r} and no such file: `datasets import FILE` takes one in")


def is_path(text: str) -> bool:
    """Whether a data set is meant by its file."""
    return "/" in text or "\\" in text or text.endswith(ENDINGS) or Path(text).is_file()


def name_of(path: Path) -> str:
    """What a file's data set is called where no name is given: the file's name without what says its format."""
    return next((path.name.removesuffix(end) for end in ENDINGS if path.name.endswith(end)), path.stem)
