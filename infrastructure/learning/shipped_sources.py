"""The public data that the shipped weights were trained on. Read 2026-11-24: README files and licences there."""

from __future__ import annotations

from pathlib import Path

SOURCES = {
    "routellm_mmlu": ("lm-sys/RouteLLM, evaluations of MMLU", "Apache-2.0 (MMLU: MIT)"),
    "routellm_gsm8k": ("lm-sys/RouteLLM, evaluations of GSM8K", "Apache-2.0 (GSM8K: MIT)"),
    "zeroeval": ("WildEval/ZeroEval, results on GSM8K, CRUXEval and MATH", "Apache-2.0 (GSM8K, CRUXEval, MATH: MIT)"),
    "mmlu_pro": ("TIGER-AI-Lab/MMLU-Pro, evaluation results", "Apache-2.0 (data: MIT)"),
    "llmrouter": ("ulab-uiuc/LLMRouter, preprocessed data", "MIT"),
    "routerarena": ("RouteWorks/RouterArena, cached results", "Apache-2.0"),
}


def source_of(name: str) -> dict[str, str]:
    """What a file of weights says of a data set it was trained on."""
    source, licence = SOURCES[name]
    return {"dataset": name, "source": source, "licence": licence}


def file_in(data: Path, name: str) -> Path:
    """The file `NAME.jsonl.gz` or `NAME.SPLIT.jsonl.gz` of a folder; ends the program where it is not exactly one."""
    found = sorted(data.glob(f"{name}.jsonl.gz")) or sorted(data.glob(f"{name}.*.jsonl.gz"))
    if len(found) != 1:
        raise SystemExit(f"{data} has {len(found)} files for {name}, one is needed")
    return found[0]
