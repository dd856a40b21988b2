"""How fast an event store makes appends durable here: `python -m tests.benchmarks.bench_store [DATABASE_URL]`.

Prints the machine and what a bare sync of the same disk costs, because every figure below is a multiple of that.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from model_orchestrator.application.ports import Append, Content, EventStore
from model_orchestrator.infrastructure.store.opening import open_store
from tests.contracts.appends import appended, new_event, on_stream
from tests.contracts.store_process import finished, go, start

PAYLOAD = '{"filler":"' + "x" * 400 + '"}'
EVENTS = 5  # of an append: what a run writes before its call leaves
SECONDS = 3.0


def an_append(stream: str) -> Append:
    content = Content(
        ref=os.urandom(16).hex(), stream=stream, subject=None, salt=os.urandom(16), body="What is Python?"
    )
    return on_stream(stream, *(new_event(PAYLOAD) for _ in range(EVENTS)), contents=[content])


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def row(name: str, latencies: Sequence[float], seconds: float, unit: str = "appends/s") -> None:
    """A line of the table; latencies in seconds."""
    half, most, worst = (1000 * percentile(latencies, share) for share in (0.5, 0.99, 1))
    print(
        f"{name:44} {len(latencies) / seconds:8.0f} {unit:9}  p50 {half:7.2f}  p99 {most:7.2f}  worst {worst:7.2f} ms"
    )


def probe_disk(folder: Path) -> None:
    """4 KB written and synced, over and over: the floor of any durable commit."""
    latencies: list[float] = []
    descriptor = os.open(folder / "probe", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(descriptor, bytes(4096 * 256))
    os.fsync(descriptor)
    sync = getattr(os, "fdatasync", os.fsync)
    began = time.perf_counter()
    while time.perf_counter() - began < SECONDS / 2:
        begin = time.perf_counter()
        os.pwrite(descriptor, bytes(4096), 4096 * (len(latencies) % 256))
        sync(descriptor)
        latencies.append(time.perf_counter() - begin)
    row("disk: write 4 KB + fdatasync", latencies, time.perf_counter() - began, "syncs/s")
    os.close(descriptor)


async def append_for_a_while(store: EventStore, name: str, latencies: list[float]) -> None:
    ends, number = time.perf_counter() + SECONDS, 0
    while (begin := time.perf_counter()) < ends:
        await appended(store, an_append(f"{name}-{number}"))
        latencies.append(time.perf_counter() - begin)
        number += 1


async def callers(store: EventStore, count: int) -> None:
    latencies: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(append_for_a_while(store, f"c{count}-{n}-{began}", latencies) for n in range(count)))
    row(f"one process, {count} caller{'s' * (count > 1)}, {EVENTS} events each", latencies, time.perf_counter() - began)


async def read_back(store: EventStore) -> None:
    began, after, pages = time.perf_counter(), 0, []
    while True:
        begin = time.perf_counter()
        page = await store.read_all(after=after)
        pages.append(time.perf_counter() - begin)
        if not page:
            break
        after = page[-1].position
    seconds = time.perf_counter() - began
    print(
        f"{'read the log, pages of 1,000':44} {after / seconds:8.0f} events/s   worst page {1000 * max(pages):.2f} ms"
    )


def storm(url: str, processes: int, appends: int) -> None:
    """Separate processes, each appending as fast as it can."""
    running = [start("append", url, f"storm-{n}", appends) for n in range(processes)]
    go(running)
    began = time.perf_counter()
    outputs = finished(running)
    seconds = time.perf_counter() - began
    latencies = [int(line.split()[1]) / 1e6 for lines in outputs for line in lines]
    row(f"{processes} processes, 1 to 3 events each", latencies, seconds)


async def with_store(url: str, work: Callable[[EventStore], Coroutine[Any, Any, None]]) -> None:
    store = open_store(url)
    await work(store)
    await store.aclose()


def main(url: str | None, folder: Path) -> None:
    print(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, ", end="")
    print(f"SQLite {sqlite3.sqlite_version}, load {os.getloadavg()[0]:.1f}\n")
    probe_disk(folder)
    url = url or f"sqlite:///{folder / 'log.db'}"
    for count in (1, 8, 64):
        asyncio.run(with_store(url, lambda store, count=count: callers(store, count)))  # type: ignore[misc]
    storm(url, 4, 300)
    asyncio.run(with_store(url, read_back))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as scratch:
        main(sys.argv[1] if len(sys.argv) > 1 else None, Path(scratch))
