"""How fast the log is read, and read models are built and asked: `python -m tests.benchmarks.bench_projections`.

A log of RUNS (the first argument; 118,000 by default, which are 1,000,000 events) is read and mapped to events, and
folded from nothing as `projections rebuild` does it: in rounds, of which the best counts. With `--peers` the
`eventsourcing` library takes part, reading and mapping a log of its own, from the environment that `make bench
ARGS=--peers` installs. On a busy machine only the ratios of processor time mean something. Then the log and a tenth of
it are asked the same questions, because a report must not take longer as the log grows.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import NamedTuple

from model_orchestrator.infrastructure.event_codec import decode
from model_orchestrator.infrastructure.read_models.stored import StoredReadModels
from model_orchestrator.infrastructure.store.opening import open_store

from .filled_log import fill

PEER = Path(".venv/peers/eventsourcing/bin/python")
THEIRS = "eventsourcing, reads and maps"
ONCE = 104_000  # events a second on 2 quiet cores
ROUNDS = 3
QUESTIONS = 20
CORES = os.cpu_count() or 1


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


async def _mapped(url: str, after: int, upto: int) -> int:
    store, position = open_store(url), after
    while position < upto and (page := await store.read_all(after=position)):
        for event in page:
            decode(event.type, event.schema_version, event.payload)
        position = page[-1].position
    await store.aclose()
    return position - after


def mapped(url: str, after: int, upto: int) -> int:
    """Read a stretch of the log and map it to the domain's events; how many there were."""
    return asyncio.run(_mapped(url, after, upto))


class Rate(NamedTuple):
    """Events a second, by the clock and by the processor time of all processes together."""

    clock: float
    processor: float


def processor_time() -> float:
    """Seconds, with those of processes that have ended."""
    return sum(one.ru_utime + one.ru_stime for one in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))


def rate(events: int, work: Callable[[], object]) -> Rate:
    began, spent = time.perf_counter(), processor_time()
    work()
    return Rate(events / (time.perf_counter() - began), events / (processor_time() - spent))


def read_by_all(url: str, events: int) -> None:
    """By a process a core, each of which has its stretch."""
    marks = [events * one // CORES for one in range(CORES + 1)]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=mapped, args=(url, *ends)) for ends in pairwise(marks)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def peer() -> Rate:
    script = Path(__file__).with_name("peer_eventsourcing_reads.py")
    done = subprocess.run([PEER, script], check=True, capture_output=True, text=True)
    return Rate(*map(float, done.stdout.split()[1:]))


def rates(path: Path, events: int, with_peer: bool) -> None:
    """A line each, with how many times what the peer does when it merely reads and maps."""
    url = f"sqlite:///{path}"
    models = StoredReadModels(url)
    measured: dict[str, list[Rate]] = {}
    for _ in range(ROUNDS):
        one_round = {
            "read and map, one process": rate(events, lambda: mapped(url, 0, events)),
            f"read and map, {CORES} processes": rate(events, lambda: read_by_all(url, events)),
            f"rebuild, {CORES} processes": rate(events, models.rebuild),
        }
        if with_peer:
            one_round[THEIRS] = peer()
        for name, one in one_round.items():
            measured.setdefault(name, []).append(one)
    best = {name: Rate(*map(max, zip(*found, strict=True))) for name, found in measured.items()}
    theirs = best.get(THEIRS, Rate(ONCE, ONCE))
    told = "of this run" if with_peer else "as it was measured once"
    print(f"  events a second and the ratio to {THEIRS}, {told}; then a second of processor time")
    print(f"  best of {ROUNDS} rounds, load {os.getloadavg()[0]:.1f}")
    for name, one in best.items():
        by_clock, by_processor = one.clock / theirs.clock, one.processor / theirs.processor
        print(f"  {name:30} {one.clock:10,.0f} {by_clock:4.1f} x   {one.processor:10,.0f} {by_processor:4.1f} x")


def ask(path: Path) -> None:
    models = StoredReadModels(f"sqlite:///{path}")
    models.catch_up()
    print(
        f"  costs by category and month    {median(lambda: models.costs(by=('category',), ranges=months(4))):10.1f} ms"
    )
    print(f"  costs by model, all time       {median(lambda: models.costs(by=('model',))):10.1f} ms")
    print(f"  statistics of every model      {median(models.model_stats):10.1f} ms")
    print(f"  the newest 20 runs             {median(lambda: list(models.runs(limit=20))):10.1f} ms")
    fill(path, 100)
    print(f"  catching up with 100 runs      {1000 / rate(1, models.catch_up).clock:10.1f} ms")


def main(arguments: Sequence[str]) -> None:
    """Print everything."""
    with_peer = "--peers" in arguments
    runs = next((int(one) for one in arguments if one != "--peers"), 118_000)
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {CORES} cores")
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        for count in (runs // 10, runs):
            path = Path(folder) / f"{count}.db"
            events = fill(path, count)
            print(f"{count:,} runs, {events:,} events")
            if count == runs:
                rates(path, events, with_peer)
            ask(path)


if __name__ == "__main__":
    main(sys.argv[1:])
