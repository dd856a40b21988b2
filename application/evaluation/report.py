"""What an evaluation found: the policy's figures, and those of what one could do without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...domain.metrics.interval import Interval
from .recorded_set import RecordedSet

Point = tuple[float, float]

# Always in the report, null where they mean nothing. Of a pair, quality and cost are those of half the prompts sent to
# the strong model.
KEYS = ("apgr", "cpt50", "cpt80", "auroc", "ece", "brier", "quality", "usd_per_1000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One policy's figures, by name; `points` are its curve, falling together where it is a single choice."""

    name: str
    figures: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    points: Sequence[Point] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The report. `asked` says on what: models, threshold, method."""

    kind: str  # routing, choice, confidence, cascade or ensemble
    data: RecordedSet
    asked: Mapping[str, Any]
    policy: Row
    references: Sequence[Row]
    predictions: Sequence[Mapping[str, Any]]  # one a prompt, with its id
    notes: Sequence[str] = ()

    @property
    def prompts(self) -> int:
        """How many were judged on."""
        return len(self.data.examples)

    def reference(self, name: str) -> Row:
        """The row of that name."""
        return next(row for row in self.references if row.name == name)
