"""How fast read models are built and asked: `python -m tests.benchmarks.bench_projections [RUNS]`.

RUNS (default 118,000, which are 1,000,000 events) are folded from nothing, as `projections rebuild` does it; then a
tenth of it is asked the same questions, because a report must not take longer as the log grows.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from model_orchestrator.infrastructure.read_models.stored import StoredReadModels

from .filled_log import fill

# What the eventsourcing library does of its own log, on 2 quiet cores: read it and map it to objects, and nothing else.
EVENTSOURCING = 104_000  # events a second
QUESTIONS = 20


def months(count: int) -> list[tuple[int, int]]:
    firsts = [datetime(2025 + (8 + one) // 12, (8 + one) % 12 + 1, 1, tzinfo=UTC) for one in range(count + 1)]
    marks = [int(first.timestamp()) * 1_000_000 for first in firsts]
    return list(pairwise(marks))


def median(question: Callable[[], object]) -> float:
    """Milliseconds."""
    taken = []
    for _ in range(QUESTIONS):
        began = time.perf_counter()
        question()
        taken.append(time.perf_counter() - began)
    return 1000 * sorted(taken)[QUESTIONS // 2]


def measure(folder: Path, runs: int) -> None:
    path = folder / f"{runs}.db"
    events = fill(path, runs)
    models = StoredReadModels(f"sqlite:///{path}")
    began = time.perf_counter()
    models.rebuild()
    rate = events / (time.perf_counter() - began)
    print(f"{runs:>9,} runs, {events:,} events")
    print(f"  rebuild                        {rate:10,.0f} events/s, {rate / EVENTSOURCING:.1f} x {EVENTSOURCING:,}")
    print(
        f"  costs by category and month    {median(lambda: models.costs(by=('category',), ranges=months(4))):10.1f} ms"
    )
    print(f"  costs by model, all time       {median(lambda: models.costs(by=('model',))):10.1f} ms")
    print(f"  statistics of every model      {median(models.model_stats):10.1f} ms")
    print(f"  the newest 20 runs             {median(lambda: list(models.runs(limit=20))):10.1f} ms")
    fill(path, 100)
    began = time.perf_counter()
    models.catch_up()
    print(f"  catching up with 100 runs      {1000 * (time.perf_counter() - began):10.1f} ms")


def main(runs: int = 118_000) -> None:
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        for count in (runs // 10, runs):
            measure(Path(folder), count)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
