"""Trains the confidence weights that come with the package. The same data gives the same bytes."""

from __future__ import annotations

from pathlib import Path

from ..dataset_files import read_examples
from .cascades import Guarantee, fix_cascade
from .confidence import ConfidenceLesson
from .confidence_report import ConfidenceReport
from .learned_confidence import Pair, all_rows, file_of, report_of
from .shipped_sources import file_in, source_of

DATASETS = ("zeroeval", "mmlu_pro", "routellm_gsm8k", "routerarena")
CASCADES: tuple[Pair, ...] = (
    ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", None),
    ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "gemini-1.5-flash"),
    ("claude-3-haiku-20240307", "claude-3-5-sonnet-20241022", None),
    ("claude-3-haiku-20240307", "claude-3-5-sonnet-20241022", "gpt-4o-mini-2024-07-18"),
    ("claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022", None),
    ("claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022", "gpt-4o-mini-2024-07-18"),
    ("gemini-1.5-flash-002", "gemini-1.5-pro-002", None),
    ("gemini-1.5-flash-002", "gemini-1.5-pro-002", "Meta-Llama-3.1-70B-Instruct"),
)
GUARANTEE = Guarantee(risk=0.02, confidence=0.95)


def write_confidence(data: Path, target: Path) -> ConfidenceReport:
    """The confidence weights, from a folder with a file for each data set, and their held-out figures."""
    lesson = ConfidenceLesson(all_rows({name: read_examples(file_in(data, name)) for name in DATASETS}))
    cascades = [fix_cascade(lesson, *one, GUARANTEE) for one in CASCADES]
    target.write_text(file_of(lesson, cascades, [source_of(name) for name in DATASETS]), encoding="utf-8")
    seconds = list(dict.fromkeys(second for *_, second in CASCADES if second is not None))
    return report_of(lesson, seconds, cascades)
