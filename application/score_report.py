"""How scorers agree on the same answers, and how that drifts by month."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import sqrt
from typing import Any

from ..domain.run import Run
from ..domain.units import MILLION, Timestamp

ALL = "all"  # months


@dataclass(slots=True)
class Agreement:
    """Sums over pairs of scores in millionths: the recorded one and the new one."""

    pairs: int = 0
    recorded: int = 0
    new: int = 0
    squares: tuple[int, int, int] = (0, 0, 0)  # recorded squared, new squared, their product
    with_threshold: int = 0
    crossed: int = 0  # on the other side of the run's threshold

    def add(self, recorded: int, new: int, threshold: int | None) -> None:
        """Count a pair."""
        self.pairs += 1
        self.recorded += recorded
        self.new += new
        squares = (recorded * recorded, new * new, recorded * new)
        self.squares = (
            self.squares[0] + squares[0],
            self.squares[1] + squares[1],
            self.squares[2] + squares[2],
        )
        if threshold is not None:
            self.with_threshold += 1
            self.crossed += (recorded >= threshold) != (new >= threshold)

    @property
    def mean_difference(self) -> float:
        """New less recorded, -1 to 1."""
        return (self.new - self.recorded) / self.pairs / MILLION

    @property
    def correlation(self) -> float | None:
        """Pearson's; None where one of them always says the same."""
        first = self.pairs * self.squares[0] - self.recorded**2
        second = self.pairs * self.squares[1] - self.new**2
        if not first or not second:
            return None
        both = self.pairs * self.squares[2] - self.recorded * self.new
        return both / (sqrt(first) * sqrt(second))

    @property
    def crossed_share(self) -> float | None:
        """Of the answers that had to reach a threshold; None where none had."""
        return self.crossed / self.with_threshold if self.with_threshold else None


@dataclass(slots=True)
class ScoreReport:
    """By recorded scorer, new scorer and month of the run's start (UTC)."""

    agreements: dict[tuple[str, str, str], Agreement] = field(default_factory=dict)

    def add(self, run: Run, started_at: Timestamp) -> None:
        """Count every new score of a run whose attempt had one."""
        month = datetime.fromtimestamp(started_at / MILLION, UTC).strftime("%Y-%m")
        threshold = run.routing.threshold if run.routing else None
        for one in run.rescored:
            known = next((attempt.confidence for attempt in run.attempts if attempt.number == one.attempt), None)
            if known is None:
                continue
            for period in (ALL, month):
                key = (known.scorer, one.scorer, period)
                self.agreements.setdefault(key, Agreement()).add(known.score, one.score, threshold)

    def rows(self) -> Iterator[dict[str, Any]]:
        """For JSON, sorted; all months first."""
        for recorded, new, month in sorted(self.agreements, key=lambda key: (*key[:2], key[2] != ALL, key[2])):
            one = self.agreements[recorded, new, month]
            yield {
                "recorded": recorded,
                "new": new,
                "month": month,
                "answers": one.pairs,
                "mean_difference": one.mean_difference,
                "correlation": one.correlation,
                "crossed": one.crossed_share,
            }
