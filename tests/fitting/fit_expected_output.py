"""Fits `domain/expected_output.py`: python -m tests.fitting.fit_expected_output FOLDER (it holds dev/*.jsonl.gz).

Prints the table and says whether it is the committed one. A cell is the mean output, in tokens, of the prompts that
our own assessment puts there, each prompt's mean over the models that answered it.
"""

import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from model_orchestrator.domain.catalogue import ModelCapability
from model_orchestrator.domain.complexity import ComplexityAnalyzer, TaskType
from model_orchestrator.domain.expected_output import EXPECTED_OUTPUT

SETS = ("mmlu_pro", "routellm_gsm8k", "routerarena", "zeroeval")
OPEN_TASKS = "wildbench"  # real users' tasks: their answers are recorded, their prompts are not
LEAST = 10  # prompts in a cell that stands for itself
OPEN_TYPES = (TaskType.SYSTEM_DESIGN, TaskType.ARCHITECTURE, TaskType.RESEARCH, TaskType.ANALYSIS)


def rows(data: Path, name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(data / "dev" / f"{name}.dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def mean_output(row: dict[str, Any]) -> float | None:
    counts = [model["out_tok"] for model in row["models"].values() if model.get("out_tok") is not None]
    return fmean(counts) if counts else None


def cells(data: Path) -> dict[tuple[TaskType, ModelCapability], list[float]]:
    """The mean outputs of the recorded prompts, by what our assessment says of them."""
    analyzer, found = ComplexityAnalyzer(), defaultdict(list)
    for name in SETS:
        for row in rows(data, name):
            if (output := mean_output(row)) is not None:
                assessment = analyzer.assess_prompt(row["prompt"])
                found[assessment.task_type, assessment.capability].append(output)
    return found


def fit(data: Path) -> dict[str, dict[str, int]]:
    """The table: a cell's own mean, else its type's, else that of open tasks."""
    found = cells(data)
    open_tasks = fmean(output for row in rows(data, OPEN_TASKS) if (output := mean_output(row)) is not None)
    table: dict[str, dict[str, int]] = {}
    for task_type in TaskType:
        whole = [output for (kind, _), outputs in found.items() if kind is task_type for output in outputs]
        spare = fmean(whole) if len(whole) >= LEAST and task_type not in OPEN_TYPES else open_tasks
        table[task_type.value] = {}
        for capability in list(ModelCapability)[task_type.floor.rank :]:
            outputs = found[task_type, capability] if task_type not in OPEN_TYPES else []
            value = fmean(outputs) if len(outputs) >= LEAST else spare
            table[task_type.value][capability.value] = round(value)
            print(f"{task_type.value:16}{capability.value:14}{len(outputs):6} prompts{value:8.0f} tokens")
    return table


def main() -> int:
    table = fit(Path(sys.argv[1]))
    print(json.dumps(table, indent=4))
    same = table == EXPECTED_OUTPUT
    print("this is the committed table" if same else "the committed table differs")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
