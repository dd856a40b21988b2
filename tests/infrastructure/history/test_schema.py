"""The schema is what docs/history.md says, and what version 1 has always been."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path

import pytest

from model_orchestrator.infrastructure.history.schema import KINDS, VERSION, Column, arrow_schema

DOCUMENT = Path(__file__).parents[3] / "docs" / "history.md"
FROZEN = {  # of version 1: digests of names, kinds and whether they may be null, in order
    "events": "241deec1dacc583c",
    "runs": "f00e963c08990bc0",
    "attempts": "20b5684b11cc30d5",
    "escalations": "83566a98c28ca1a5",
}


def _row(column: Column) -> str:
    return f"| `{column.name}` | {column.kind.value}{'!' if column.is_known else ''} | {column.means} |\n"


def _tables() -> str:
    return "".join(
        f"### {kind}\n\n| column | kind | means |\n| --- | --- | --- |\n{''.join(map(_row, columns))}\n"
        for kind, columns in KINDS.items()
    )


def test_every_column_is_documented() -> None:
    """`DOCUMENTS=write` puts the real tables in the place of what is wrong."""
    text = DOCUMENT.read_text("utf-8")
    head = text.split("### events\n")[0].removesuffix("COLUMNS\n")
    if os.environ.get("DOCUMENTS") == "write":
        DOCUMENT.write_text(head + _tables().rstrip("\n") + "\n", "utf-8")
    assert DOCUMENT.read_text("utf-8") == head + _tables().rstrip("\n") + "\n"


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_schema_does_not_change(kind: str) -> None:
    """Another column, kind or order needs another version."""
    shape = [(one.name, one.kind.value, one.is_known) for one in KINDS[kind]]
    assert (VERSION, sha256(repr(shape).encode()).hexdigest()[:16]) == (1, FROZEN[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_words_every_engine_takes(kind: str) -> None:
    names = [one.name for one in KINDS[kind]]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z][a-z_0-9]*", name) for name in names)
    assert arrow_schema(KINDS[kind]).names == names
