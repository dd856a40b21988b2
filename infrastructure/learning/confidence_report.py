"""What `learn confidence` reports: held-out figures of each model's confidences, and of the cascades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...domain.catalogue import ModelName
from ...domain.learned.scorer import pair_values
from .cascades import CascadeReport
from .confidence import ConfidenceLesson
from .held_out import Quality, quality


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """A model's confidences on one data set, alone or beside a second model's answer."""

    dataset: str
    model: ModelName
    second: ModelName | None
    quality: Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceReport:
    """Everything that was measured, on answers held out."""

    repeated: int  # prompts that stand in more than one row; each is in one fold only
    models: Sequence[ModelReport]
    cascades: Sequence[CascadeReport]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def model_reports(lesson: ConfidenceLesson, seconds: Sequence[ModelName]) -> list[ModelReport]:
    """One for each data set and model, and for each second model named; none where all answers are of one kind."""
    places: dict[tuple[str, ModelName], dict[int, int]] = {}
    for place, row in enumerate(lesson.rows):
        places.setdefault((row.dataset, row.model), {})[row.example] = place
    reports = []
    for (dataset, model), own in places.items():
        reports.append(_report(lesson, dataset, model, None, [(place, place) for place in own.values()]))
        for second in seconds:
            beside = places.get((dataset, second), {}) if second != model else {}
            both = [(place, beside[example]) for example, place in own.items() if example in beside]
            if len({lesson.rows[place].is_right for place, _ in both}) > 1 and lesson.pair is not None:
                reports.append(_report(lesson, dataset, model, second, both))
    return reports


def _report(
    lesson: ConfidenceLesson, dataset: str, model: ModelName, second: ModelName | None, both: list[tuple[int, int]]
) -> ModelReport:
    rows = [lesson.rows[own] for own, _ in both]
    if second is None or lesson.pair is None:
        margins = np.array([lesson.scored[own].trust for own, _ in both])
    else:
        values = [pair_values(lesson.scored[own], lesson.strangers[other]) for own, other in both]
        margins = lesson.pair.margins(np.array(values), np.array([row.fold for row in rows]))
    found = quality(1 / (1 + np.exp(-margins)), [row.is_right for row in rows])
    return ModelReport(dataset=dataset, model=model, second=second, quality=found)
