"""A data set by what a user calls it: the name of an imported one, or a file; and the import.

A set is no run: it enters no event, no report and no check of the log. Its texts are stored as they are, also where
runs' texts are encrypted.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..domain.dataset import Example
from ..domain.dataset_summary import DatasetSummary, LongestAnswers, ModelSummary, summarized
from ..domain.errors import InvalidRequest
from ..domain.units import Usd
from .dataset_files import read_examples
from .dataset_rows import example, row_of
from .store.dataset_tables import DatasetTables, Replacing, StoredDataset, open_dataset_tables

ENDINGS = (".jsonl.gz", ".jsonl", ".csv.gz", ".csv")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,54}")  # with `recorded:` before it, a label of 64 characters


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedDataset:
    """A set in the database. `imported_at` in microseconds UTC."""

    name: str
    digest: str  # SHA-256 of its rows
    imported_at: int
    source: str | None
    licence: str | None
    summary: DatasetSummary


def open_dataset(text: str, database_url: str | None = None) -> Iterator[Example]:
    """Every prompt of the set, the contaminated ones included; `domain.dataset.evaluated` drops those.

    `text` is a path where it looks like one, else the name of a set in the database (None: the settings'), else a file
    without an ending. Raises InvalidRequest for what is not there, and while iterating for a row that cannot be used.
    """
    if _is_path(text):
        return read_examples(Path(text))
    tables = open_dataset_tables(database_url or _settings_url())
    stored = tables.find(text)
    if stored is not None:
        return _examples(tables, stored)
    tables.close()
    if Path(text).is_file():
        return read_examples(Path(text))
    raise unknown_dataset(text)


def summary_of(text: str, database_url: str) -> DatasetSummary:
    """The summary of the set that `open_dataset` opens; that of an imported one is read, of a file it is made."""
    stored = None
    if not _is_path(text):
        tables = open_dataset_tables(database_url)
        stored = tables.find(text)
        tables.close()
    if stored is not None:
        return imported(stored).summary
    longest = LongestAnswers(summarized(open_dataset(text, database_url)))
    for one in open_dataset(text, database_url):
        longest.add(one)
    return longest.whole()


def unknown_dataset(name: str) -> InvalidRequest:
    """The error for a name that no set has."""
    return InvalidRequest(
        f"there is no data set {name!r}: `datasets list` shows those there are, `datasets import FILE` takes one in"
    )


def import_dataset(
    tables: DatasetTables,
    name: str,
    examples: Callable[[], Iterable[Example]],
    *,
    source: str | None = None,
    licence: str | None = None,
    is_replacement: bool = False,
) -> tuple[ImportedDataset, bool]:
    """Take in the rows that each call of `examples` gives anew; the set, and whether anything was written.

    The same rows under the same name are already there. All of it is stored, or nothing is. Raises InvalidRequest for
    rows that cannot be used, and for other rows under a known name unless they are to replace them.
    """
    check_name(name)
    digest = hashlib.sha256()
    summary = summarized(_hashed(examples(), digest))
    if not is_replacement and (known := _same(tables.find(name), digest.digest(), name)) is not None:
        return known, False
    with tables.replacing(name) as writing:
        if not is_replacement and (known := _same(writing.known(), digest.digest(), name)) is not None:
            return known, False
        writing.remove()
        again = hashlib.sha256()
        whole = _add_rows(writing, _hashed(examples(), again), summary)
        if again.digest() != digest.digest():
            raise InvalidRequest("the file was changed while it was read: import it again")
        stored = StoredDataset(
            name=name,
            digest=digest.digest(),
            imported_at=time.time_ns() // 1000,
            source=source,
            licence=licence,
            summary=json.dumps(asdict(whole), default=str),
        )
        writing.add(stored)
    return imported(stored), True


def check_name(name: str) -> None:
    """Raises InvalidRequest for a name that `recorded:NAME` could not say."""
    if not NAME.fullmatch(name):
        raise InvalidRequest(
            f"a data set cannot be called {name[:60]!r}: give --name, 1 to 55 letters, digits, dots, - and _"
        )


def imported(stored: StoredDataset) -> ImportedDataset:
    """The set as it is stored."""
    said = json.loads(stored.summary)
    models = tuple(_model_summary(one) for one in said.pop("models"))
    return ImportedDataset(
        name=stored.name,
        digest=stored.digest.hex(),
        imported_at=stored.imported_at,
        source=stored.source,
        licence=stored.licence,
        summary=DatasetSummary(**said, models=models),
    )


def recorded_example(tables: DatasetTables, name: str, prompt: str) -> Example | None:
    """The first row of the set with exactly this prompt."""
    body = tables.body_of(name, _prompt_digest(prompt))
    return None if body is None else example(json.loads(body, parse_float=Decimal))


def name_of(path: Path) -> str:
    """What a file's data set is called where no name is given: the file's name without what says its format."""
    return next((path.name.removesuffix(end) for end in ENDINGS if path.name.endswith(end)), path.name)


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.endswith(ENDINGS)


def _settings_url() -> str:
    from .settings import Settings

    return Settings.load().database_url


def _same(known: StoredDataset | None, digest: bytes, name: str) -> ImportedDataset | None:
    """The set that is there, where it has these rows; None where there is none."""
    if known is not None and known.digest != digest:
        raise InvalidRequest(
            f"there is another data set {name!r}: give --name, or --replace to put this one in its place"
        )
    return None if known is None else imported(known)


def _add_rows(writing: Replacing, examples: Iterable[Example], summary: DatasetSummary) -> DatasetSummary:
    """Write the rows; the summary with what the longest answers need."""
    longest = LongestAnswers(summary)

    def rows() -> Iterator[tuple[bytes | None, str]]:
        for one in examples:
            longest.add(one)
            yield None if one.prompt is None else _prompt_digest(one.prompt), _body(one)

    writing.add_rows(rows())
    return longest.whole()


def _examples(tables: DatasetTables, stored: StoredDataset) -> Iterator[Example]:
    read = 0
    try:
        for body in tables.bodies(stored):
            read += 1
            yield example(json.loads(body, parse_float=Decimal))
    finally:
        tables.close()
    if read != json.loads(stored.summary)["rows"]:
        raise InvalidRequest(f"the data set {stored.name!r} was replaced or removed while it was read: start again")


def _hashed(examples: Iterable[Example], digest: Any) -> Iterator[Example]:
    for one in examples:
        digest.update(_body(one).encode() + b"\n")
        yield one


def _body(one: Example) -> str:
    """ASCII, so that any text can be stored, half a character and NUL included."""
    return json.dumps(row_of(one), separators=(",", ":"))


def _prompt_digest(prompt: str) -> bytes:
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()


def _model_summary(said: dict[str, Any]) -> ModelSummary:
    money = {field: said[field] for field in ("mean_cost", "input_price", "output_price")}
    return ModelSummary(**{**said, **{field: None if one is None else Usd(one) for field, one in money.items()}})
