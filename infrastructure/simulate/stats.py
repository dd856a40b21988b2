"""What the server was asked and what it billed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...domain.pricing import Usage


@dataclass(slots=True)
class Stats:
    """Every call counts, tokens only where they are billed: a provider that loses the answer on its way bills it."""

    by_model: dict[str, dict[str, int]] = field(default_factory=dict)

    def called(self, model: str) -> None:
        """A call came in, whatever becomes of it."""
        self._row(model)["calls"] += 1

    def billed(self, model: str, usage: Usage) -> None:
        """The model ran."""
        row = self._row(model)
        row["input_tokens"] += usage.input_tokens
        row["output_tokens"] += usage.output_tokens

    def shown(self) -> dict[str, Any]:
        """The body of `GET /stats`."""
        return {"calls": sum(row["calls"] for row in self.by_model.values()), "by_model": self.by_model}

    def _row(self, model: str) -> dict[str, int]:
        return self.by_model.setdefault(model, {"calls": 0, "input_tokens": 0, "output_tokens": 0})
