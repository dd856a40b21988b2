"""Writes the confidence weights that come with the package; again from the same data, the same but for rounding."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..dataset_files import read_examples
from ..learned_weights import CONFIDENCE
from .cascades import Guarantee, fix_cascade
from .confidence import ConfidenceLesson
from .confidence_report import ConfidenceReport, model_reports
from .learned_confidence import Pair, all_rows, file_of

FOLDER = Path(__file__).parents[1] / "weights"
# Source: the README files and licences of the repositories named, 2026-11-24.
SOURCES = {
    "zeroeval": ("WildEval/ZeroEval, results on GSM8K, CRUXEval and MATH", "Apache-2.0 (GSM8K, CRUXEval, MATH: MIT)"),
    "mmlu_pro": ("TIGER-AI-Lab/MMLU-Pro, evaluation results", "Apache-2.0 (data: MIT)"),
    "routellm_gsm8k": ("lm-sys/RouteLLM, evaluations of GSM8K", "Apache-2.0 (GSM8K: MIT)"),
    "routerarena": ("RouteWorks/RouterArena, cached results", "Apache-2.0"),
}
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


def write_confidence(data: Path, target: Path = FOLDER / f"{CONFIDENCE}.json") -> ConfidenceReport:
    """Train on the folder's files `NAME.jsonl.gz` or `NAME.SPLIT.jsonl.gz`, one for each source."""
    lesson = ConfidenceLesson(all_rows({name: read_examples(_file(data, name)) for name in SOURCES}))
    cascades = [fix_cascade(lesson, *one, GUARANTEE) for one in CASCADES]
    sources = [{"dataset": name, "source": source, "licence": licence} for name, (source, licence) in SOURCES.items()]
    target.write_text(file_of(lesson, cascades, sources), encoding="utf-8")
    seconds = list(dict.fromkeys(second for *_, second in CASCADES if second is not None))
    return ConfidenceReport(models=model_reports(lesson, seconds), cascades=cascades)


def _file(data: Path, name: str) -> Path:
    found = sorted(data.glob(f"{name}.jsonl.gz")) or sorted(data.glob(f"{name}.*.jsonl.gz"))
    if len(found) != 1:
        raise SystemExit(f"{data} has {len(found)} files for {name}, one is needed")
    return found[0]


if __name__ == "__main__":
    import json

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of the data sets")
    print(json.dumps(write_confidence(parser.parse_args().data).to_dict(), indent=1))
