"""Writes the weights that come with the package: `make weights DATA=DIR`. The same data gives the same bytes."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..dataset_files import read_examples
from ..learned_weights import ROUTING, fingerprints, weights_file
from .routing import train_routing
from .tables import table_of

FOLDER = Path(__file__).parents[1] / "weights"
# Source: the README files and licences of the repositories named, 2026-11-24.
SOURCES = {
    "routellm_mmlu": ("lm-sys/RouteLLM, evaluations of MMLU", "Apache-2.0 (MMLU: MIT)"),
    "routellm_gsm8k": ("lm-sys/RouteLLM, evaluations of GSM8K", "Apache-2.0 (GSM8K: MIT)"),
    "zeroeval": ("WildEval/ZeroEval, results on GSM8K, CRUXEval and MATH", "Apache-2.0 (GSM8K, CRUXEval, MATH: MIT)"),
    "mmlu_pro": ("TIGER-AI-Lab/MMLU-Pro, evaluation results", "Apache-2.0 (data: MIT)"),
    "llmrouter": ("ulab-uiuc/LLMRouter, preprocessed data", "MIT"),
}


def source_of(name: str) -> dict[str, str]:
    """What a file of weights says of a data set it was trained on."""
    source, licence = SOURCES[name]
    return {"dataset": name, "source": source, "licence": licence}


def write_routing(data: Path) -> Path:
    """The routing weights, from a folder with a file `NAME.jsonl.gz` or `NAME.SPLIT.jsonl.gz` for each source."""
    tables = [table_of(name, read_examples(_file(data, name))) for name in SOURCES]
    prompts = [prompt for table in tables for prompt in table.prompts]
    trained = {
        "prompts": {table.name: len(table.prompts) for table in tables},
        "fingerprints": fingerprints(prompts),
    }
    target = FOLDER / f"{ROUTING}.json"
    text = weights_file(ROUTING, train_routing(tables), sources=[source_of(name) for name in SOURCES], trained=trained)
    target.write_text(text, encoding="utf-8")
    return target


def _file(data: Path, name: str) -> Path:
    found = sorted(data.glob(f"{name}.jsonl.gz")) or sorted(data.glob(f"{name}.*.jsonl.gz"))
    if len(found) != 1:
        raise SystemExit(f"{data} has {len(found)} files for {name}, one is needed")
    return found[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of the data sets")
    print(write_routing(parser.parse_args().data))
