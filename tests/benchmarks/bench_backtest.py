"""How fast a backtest over the log is: `python -m tests.benchmarks.bench_backtest [RUNS]`.

RUNS (default 100,000, and a tenth of it first) are written as the product would have written them, without labels; then
two policies are played over all of them, with their intervals. Processor seconds are those of all processes together,
memory the most that one of them took. Each step is a process of its own, so that none counts what another took.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from model_orchestrator.infrastructure.backtest import Asked
from model_orchestrator.infrastructure.backtest_log import backtest_log
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings


def measure(url: str, runs: int) -> None:
    settings = Settings.load(None, env={"MODEL_ORCHESTRATOR_CATALOGUE": "seed"}, database_url=url)
    began = time.perf_counter()
    found = backtest_log(Orchestrator(settings), [Asked.of("heuristic"), Asked.of("heuristic:fallback")])
    seconds = time.perf_counter() - began
    assert sum(one.policies[0].counts["runs"] for one in found) == runs
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    worked = sum(one.ru_utime + one.ru_stime for one in used)
    memory = max(one.ru_maxrss for one in used) / 1024
    print(f"{runs:>9,} runs by two policies: {seconds:.2f} s, {worked:.2f} s of processors, {memory:.0f} MB")


def main() -> None:
    match sys.argv[1:]:
        case ["write", url, runs]:
            from tests.generated_log import write_log

            write_log(url, runs=int(runs), seed=int(runs), budgets=False)
        case ["measure", url, runs]:
            measure(url, int(runs))
        case given:
            compare(int(given[0]) if given else 100_000)


def compare(runs: int) -> None:
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for size in (runs // 10, runs):
            url = f"sqlite:///{Path(folder) / f'{size}.db'}"
            for step in ("write", "measure"):
                subprocess.run([sys.executable, "-m", __spec__.name, step, url, str(size)], check=True)


if __name__ == "__main__":
    main()
