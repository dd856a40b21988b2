"""What replays came to, run by run and in all, for people and for JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from .replay import Replayed, Verdict
from .score_check import ScoreCheck


@dataclass(frozen=True, slots=True)
class Checked:
    """A run's replay, and its scores computed anew; None: they were not asked for."""

    replayed: Replayed
    scores: ScoreCheck | None


@dataclass(slots=True)
class ReplayTotals:
    """Of several runs."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    decisions: int = 0
    noted: int = 0  # runs of which something could not be decided again, or not from everything
    why_not: Counter[str] = field(default_factory=Counter)
    scores: ScoreCheck | None = None

    def add(self, done: Checked) -> None:
        """Count a run."""
        self.verdicts[done.replayed.verdict] += 1
        self.decisions += done.replayed.decisions
        self.noted += bool(done.replayed.notes)
        if done.replayed.why_not is not None:
            self.why_not[done.replayed.why_not] += 1
        if done.scores is not None:
            self.scores = self.scores or ScoreCheck()
            self.scores.add(done.scores)

    @property
    def runs(self) -> int:
        """How many."""
        return sum(self.verdicts.values())

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "runs": self.runs,
            **{verdict.value: self.verdicts[verdict] for verdict in Verdict},
            "decisions": self.decisions,
            "with_notes": self.noted,
            "why_not": dict(self.why_not.most_common()),
            "scores": None if self.scores is None else scores_dict(self.scores),
        }


def checked_dict(done: Checked) -> dict[str, Any]:
    """A run for JSON."""
    replayed = done.replayed
    return {
        "run_id": replayed.run,
        "verdict": replayed.verdict.value,
        "decisions": replayed.decisions,
        "differences": [asdict(one) for one in replayed.differences],
        "why_not": replayed.why_not,
        "notes": replayed.notes,
        "scores": None if done.scores is None else scores_dict(done.scores),
    }


def scores_dict(scores: ScoreCheck) -> dict[str, Any]:
    """The second check for JSON."""
    return {
        "recomputed": scores.compared,
        "equal": scores.equal,
        "unequal": [asdict(one) for one in scores.unequal],
        "texts_gone": scores.gone,
        "not_in_this_build": dict(scores.lacking),
    }


def scores_text(scores: ScoreCheck) -> str:
    """The second check in a line."""
    words = [f"scores recomputed: {scores.equal:,} of {scores.compared:,} equal"]
    words += [f"{scores.gone:,} erased or not kept, not recomputed"] if scores.gone else []
    words += [f"{count:,} by {name}, which this build lacks" for name, count in scores.lacking.most_common()]
    return "; ".join(words)
