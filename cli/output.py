"""How commands speak: data to stdout, talk to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from ..domain.errors import ConfigurationError, InvalidRequest, OrchestratorError, RunFailure
from ..domain.units import plain


def say(text: str) -> None:
    """A line of talk."""
    print(text, file=sys.stderr)


def say_wait(model: str, seconds: float) -> None:
    """That a call waits for its place within a model's rate limit."""
    say(f"waiting {seconds:.1f} s for {model}'s rate limit")


def print_json(data: Any) -> None:
    """One JSON document; text as it is, escaped only where the terminal cannot show all of it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"  # there is none where stdout is closed
    print(json.dumps(data, ensure_ascii=not encoding.lower().startswith("utf"), indent=2))


def error_dict(error: OrchestratorError) -> dict[str, Any]:
    """The `error` object of --json output."""
    details = {"kind": error.kind, "message": str(error), "run_id": None}
    return details | ({"run_id": error.run_id, **error.details} if isinstance(error, RunFailure) else {})


def exit_code(error: OrchestratorError) -> int:
    """2 for the caller's mistakes, 1 for everything that went wrong with right words."""
    return 2 if isinstance(error, InvalidRequest | ConfigurationError) else 1


def money(amount: Decimal | None, *, kind: str = "real") -> str:
    """An amount for people: plain digits, or that it is unknown; simulated and recorded money says so."""
    text = "cost unknown" if amount is None else f"${plain(amount)}"
    return text if kind == "real" else f"{text} ({kind})"


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns padded to their widest cell."""
    table = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
