"""How soon `monitor` shows an event: `python -m tests.benchmarks.bench_monitor [DATABASE_URL]`.

From the commit of another store to the end of drawing the frame that has it, on a log of 100,000 runs: in a file and on
a server, or of the database named, as it is. It must be under 100 ms.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from rich.console import Console

from model_orchestrator.application.monitor import Monitor
from model_orchestrator.application.ports import Appended, EventStore
from model_orchestrator.cli.monitor_screen import drawn
from model_orchestrator.domain.breaker import BreakerState
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.event_codec import encode
from model_orchestrator.infrastructure.settings import Settings
from model_orchestrator.infrastructure.store.opening import open_store
from tests.contracts.appends import appended, new_event, on_stream
from tests.postgres import start_server
from tests.read_models import of_category
from tests.scenario import MINI, asked

from .filled_log import fill, fill_server

RUNS, EVENTS, WIDTH = 100_000, 40, 140


def append(store: EventStore) -> Appended:
    """A run that begins, in a commit of its own."""
    facts = [encode(event) for event in (of_category("chat"), asked(MINI))]
    events = [new_event(text, type=type_) for type_, _, text in facts]
    return asyncio.run(appended(store, on_stream(f"run-monitored-{time.time_ns()}", *events)))


async def measure(url: str) -> list[float]:
    """Milliseconds, of each event."""
    committed: dict[int, float] = {}
    seen: dict[int, float] = {}
    begun = asyncio.Event()
    writer = open_store(url)

    async def breakers() -> dict[str, BreakerState]:
        return {}

    async def watch(orchestrator: Orchestrator) -> None:
        console = Console(file=io.StringIO(), width=WIDTH, force_terminal=True)
        parts = (orchestrator.store, orchestrator.log, orchestrator.read_models, orchestrator.clock)
        async with aclosing(Monitor(*parts, breakers).frames(1.0, early=True)) as frames:
            async for frame in frames:
                console.print(drawn(frame, WIDTH))
                seen[frame.position] = time.perf_counter()
                begun.set()

    async with Orchestrator(Settings.load(env={}, database_url=url)) as orchestrator:
        watching = asyncio.create_task(watch(orchestrator))
        await begun.wait()
        for number in range(EVENTS):
            done = await asyncio.to_thread(append, writer)
            committed[done.last_position] = time.perf_counter()
            await asyncio.sleep(0.1 + 0.007 * (number % 15))  # at every moment of a frame
        watching.cancel()
    await writer.aclose()
    return [
        1000 * (min(at for p, at in seen.items() if p >= position) - began) for position, began in committed.items()
    ]


def report(name: str, taken: list[float]) -> None:
    ordered = sorted(taken)
    half, worst = ordered[len(ordered) // 2], ordered[-1]
    print(f"monitor shows an event, {name:12} p50 {half:6.1f} ms  worst {worst:6.1f} ms  ({len(ordered)} events)")


def main(url: str | None = None) -> None:
    """Of a file and of a server, or of the database named."""
    if url is not None:
        report(url.partition(":")[0], asyncio.run(measure(url)))
        return
    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        path = Path(folder) / "log.db"
        fill(path, RUNS)
        report("sqlite", asyncio.run(measure(f"sqlite:///{path}")))
        server = start_server(Path(folder) / "server")
        try:
            fill_server(server.get_uri(), RUNS)
            report("postgresql", asyncio.run(measure(server.get_uri())))
        finally:
            server.cleanup()


if __name__ == "__main__":
    main(*sys.argv[1:])
