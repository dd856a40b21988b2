"""From data sets to a file of confidence weights and a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ...domain.catalogue import ModelName
from ...domain.dataset import Example
from ...domain.errors import InvalidRequest
from ..datasets import name_of, open_dataset
from ..learned_weights import CONFIDENCE, fingerprints, weights_file
from .answers import Row, rows_of
from .cascades import CascadeReport, Guarantee, fix_cascade
from .confidence import ConfidenceLesson
from .confidence_report import ConfidenceReport, model_reports
from .held_out import repeated

Pair = tuple[ModelName, ModelName, ModelName | None]  # weak, strong, and whose answer is bought beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be learned and reported; no models: all."""

    models: tuple[ModelName, ...] = ()
    second: ModelName | None = None
    weak: ModelName | None = None
    strong: ModelName | None = None
    risk: float | None = None
    confidence: float = 0.95


def learned_confidence(
    names: Sequence[str], wanted: Wanted, opened: Callable[[str], Iterable[Example]] = open_dataset
) -> tuple[str, ConfidenceReport]:
    """The file's text, and the report. Raises InvalidRequest for what cannot be learned from."""
    _check_cascade(wanted)
    examples = {name_of(Path(name)): list(opened(name)) for name in names}
    rows = all_rows(examples, wanted.models)
    known = {row.model for row in rows}
    named = [model for model in (wanted.second, wanted.weak, wanted.strong) if model is not None]
    if missing := [model for model in named if model not in known]:
        raise InvalidRequest(f"no answers of {', '.join(missing)}: the models are {', '.join(sorted(known))}")
    lesson = ConfidenceLesson(rows)
    guarantee = None if wanted.risk is None else Guarantee(risk=wanted.risk, confidence=wanted.confidence)
    cascades = []
    if wanted.weak is not None and wanted.strong is not None:
        seconds = dict.fromkeys((None, wanted.second))
        cascades = [fix_cascade(lesson, wanted.weak, wanted.strong, second, guarantee) for second in seconds]
    reported = [] if wanted.second is None else [wanted.second]
    return file_of(lesson, cascades, [{"dataset": name} for name in examples]), report_of(lesson, reported, cascades)


def report_of(
    lesson: ConfidenceLesson, seconds: Sequence[ModelName], cascades: Sequence[CascadeReport]
) -> ConfidenceReport:
    """The held-out figures, also beside each of the second models."""
    prompts = {row.example: row.prompt for row in lesson.rows}
    return ConfidenceReport(
        repeated=repeated(prompts.values()), models=model_reports(lesson, seconds), cascades=cascades
    )


def _check_cascade(wanted: Wanted) -> None:
    """Raises InvalidRequest for a cascade that names a model twice."""
    if wanted.weak is not None and wanted.weak == wanted.strong:
        raise InvalidRequest(f"--weak and --strong are both {wanted.weak}: a cascade has two models")
    if wanted.weak is not None and wanted.second in (wanted.weak, wanted.strong):
        raise InvalidRequest(f"--second {wanted.second} is in the cascade already: name another cheap model")


def all_rows(examples: Mapping[str, Iterable[Example]], models: Sequence[ModelName] = ()) -> list[Row]:
    """The rows of all data sets; a model that only some of them have is learned from those."""
    rows: list[Row] = []
    for name, given in examples.items():
        kept = list(given)
        known = {model for one in kept for model in one.outcomes}
        own = [model for model in models if len(examples) == 1 or model in known]
        start = rows[-1].example + 1 if rows else 0
        if own or not models:
            rows += rows_of(name, kept, own, start=start)
    if not rows:
        raise InvalidRequest(f"no data set has outcomes of {', '.join(models)}")
    return rows


def file_of(lesson: ConfidenceLesson, cascades: Sequence[CascadeReport], sources: list[dict[str, str]]) -> str:
    """The file's text; the same rows give the same text."""
    answers: dict[str, int] = {}
    for row in lesson.rows:
        answers[row.dataset] = answers.get(row.dataset, 0) + 1
    weights = lesson.weights([asdict(one.cascade) for one in cascades])
    trained = {"answers": answers, "fingerprints": fingerprints(row.prompt for row in lesson.rows)}
    return weights_file(CONFIDENCE, weights, sources=sources, trained=trained)
