"""How fast a backtest over the log is: `python -m tests.benchmarks.bench_backtest [RUNS]`.

RUNS (default 100,000) are written as the product would have written them, labels apart, then two policies are played
over all of them, with their intervals. Memory is the most that a process took which read runs.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

from model_orchestrator.infrastructure.backtest import Asked, backtest_log
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings
from tests.generated_log import write_log


def measure(url: str, runs: int) -> None:
    settings = Settings.load(None, env={"MODEL_ORCHESTRATOR_CATALOGUE": "seed"}, database_url=url)
    began = time.perf_counter()
    found = backtest_log(Orchestrator(settings), [Asked.of("heuristic"), Asked.of("heuristic:fallback")])
    seconds = time.perf_counter() - began
    played = sum(one.policies[0].counts["runs"] for one in found)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    assert played == runs, (played, runs)
    print(f"{runs:>9,} runs by two policies: {seconds:.2f} s; memory {memory:.0f} MB a process")


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        for size in (runs // 10, runs):
            url = f"sqlite:///{Path(folder) / f'{size}.db'}"
            write_log(url, runs=size, seed=size, budgets=False)
            measure(url, size)


if __name__ == "__main__":
    main()
