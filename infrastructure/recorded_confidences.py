"""What runs recorded of a model's answers: how far each was trusted, beside what was said of it. No text is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..application.backtest_runs import PastRun, scored
from ..application.evaluation.confidence import evaluate_recorded_confidence
from ..application.evaluation.recorded_set import recorded_set
from ..application.evaluation.report import Evaluation
from ..application.world import money_of
from ..domain.catalogue import ModelName
from ..domain.dataset import Example, Outcome
from ..domain.errors import InvalidRequest
from ..domain.events import Money
from ..domain.units import MILLION, usd
from .backtest_history import past_runs
from .rescoring import CATEGORY as JUDGING


@dataclass(frozen=True, slots=True)
class _Labelled:
    run: str
    attempt: int
    scorer: str
    confidence: float
    label: float
    cost: int | None  # picodollars


def evaluate_log_confidence(url: str, model: ModelName) -> Evaluation:
    """Of the labelled answers of a log. Raises InvalidRequest where there are none."""
    return _evaluated("log", model, past_runs(url))


def evaluate_folder_confidence(path: Path, model: ModelName) -> Evaluation:
    """Of those of a history folder. Raises InvalidRequest, StoreError, ConfigurationError."""
    from .history.folder import open_folder
    from .history.folder_runs import FolderHistory

    history = FolderHistory(open_folder(path))
    parts = history.parts(None, None)
    return _evaluated("log", model, (run for part in parts for run in history.runs(part, None, None)))


def _evaluated(name: str, model: ModelName, runs: Iterable[PastRun]) -> Evaluation:
    found = sorted((one for run in runs for one in _labelled(run, model)), key=lambda one: (one.run, one.attempt))
    if not found:
        raise InvalidRequest(f"no answer of {model} has both a confidence and a label: `feedback` gives labels")
    counts = Counter(one.scorer for one in found)
    scorer = min(counts, key=lambda one: (-counts[one], one))
    kept = [one for one in found if one.scorer == scorer]
    data = recorded_set(name, (_example(one, model) for one in kept))
    found_out = evaluate_recorded_confidence(data, scorer, model, [one.confidence for one in kept])
    others = [f"{count:,} answers scored by {other} are left out" for other, count in counts.items() if other != scorer]
    return replace(found_out, notes=[*found_out.notes, *sorted(others)])


def _labelled(run: PastRun, model: ModelName) -> Iterator[_Labelled]:
    """Simulated answers tell nothing, and judges give none."""
    if run.is_unreadable or run.start.category == JUDGING or money_of(run.start.provider) is Money.SIMULATED:
        return
    for attempt in run.attempts.values() if run.labels else ():
        score, label = scored(attempt), run.label(attempt.number)
        if attempt.model == model and score is not None and label is not None:
            yield _Labelled(run.id, attempt.number, score[0], score[1] / MILLION, label, attempt.cost)


def _example(one: _Labelled, model: ModelName) -> Example:
    outcome = Outcome(score=one.label, cost=None if one.cost is None else usd(one.cost))
    return Example(
        id=f"{one.run}/{one.attempt}",
        task=None,
        prompt=None,
        reference=None,
        input_tokens=None,
        contaminated=False,
        outcomes={model: outcome},
    )
