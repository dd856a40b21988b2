"""Data sets as files: JSON lines, plain or gzip, one prompt a line with every model's outcome."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..domain.dataset import Example, Outcome
from ..domain.units import Usd


def read_examples(path: Path) -> Iterator[Example]:
    """Every prompt of the file, the contaminated ones included."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield example(json.loads(line, parse_float=Decimal))


def example(row: dict[str, Any]) -> Example:
    """The example that a line describes."""
    return Example(
        id=row["id"],
        task=row.get("task"),
        prompt=row.get("prompt"),
        reference=row.get("reference"),
        input_tokens=row.get("in_tok"),
        contaminated=bool(row.get("contaminated")),
        outcomes={name: _outcome(one) for name, one in row["models"].items()},
    )


def _outcome(row: dict[str, Any]) -> Outcome:
    cost = row.get("cost")
    return Outcome(
        score=float(row["score"]),
        answer=None if row.get("answer") is None else str(row["answer"]),
        text=row.get("text"),
        output_tokens=row.get("out_tok"),
        cost=None if cost is None else Usd(cost),
    )
