"""A process that appends as fast as it can: `python -m tests.benchmarks.append_load URL CALLERS EVENTS SECONDS`.

It says `ready`, begins at a line on its input, and prints what it did as JSON; whoever measures starts several at once.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import uuid_utils

from model_orchestrator.application.ports import Append, EventStore, Expected, NewEvent, StreamAppend
from model_orchestrator.domain.units import Timestamp
from model_orchestrator.infrastructure.store.opening import open_store
from tests.contracts.appends import appended

ROOT = Path(__file__).parents[2]
PAYLOAD = '{"filler":"' + "x" * 400 + '"}'


@dataclass(frozen=True, slots=True)
class Load:
    """What some processes did together."""

    appends: int
    seconds: float
    cpu_seconds: float  # of the processes that append, without a server's
    latencies: list[int]  # sorted, in microseconds

    @property
    def rate(self) -> float:
        """Appends a second."""
        return self.appends / self.seconds

    @property
    def cpu_us(self) -> float:
        """Processor time of an append, in microseconds."""
        return 1e6 * self.cpu_seconds / self.appends

    def percentile_ms(self, share: float) -> float:
        """The latency that this share of the appends did not pass."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))] / 1000


def measured(command: Sequence[str], processes: int, environment: dict[str, str]) -> Load:
    """Start the command so many times, let all begin together, and add up what they print."""
    with ExitStack() as stack:
        running = [stack.enter_context(_ready(command, environment)) for _ in range(processes)]
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        found = [json.loads(process.communicate()[0]) for process in running]
    return Load(
        appends=sum(len(one["latencies"]) for one in found),
        seconds=max(one["seconds"] for one in found),
        cpu_seconds=sum(one["cpu_seconds"] for one in found),
        latencies=sorted(latency for one in found for latency in one["latencies"]),
    )


def _ready(command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    """One of them; the next is started when this one has its connection and its tables."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=environment)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError(f"it did not start: {' '.join(command)}")
    return process


async def append_for(store: EventStore, callers: int, events: int, seconds: float) -> dict[str, object]:
    """Callers that each append one new run after the other."""
    latencies: list[int] = []
    await appended(store, an_append(events))  # connects, and prepares what is prepared once
    print("ready", flush=True)
    sys.stdin.readline()
    began, cpu = time.perf_counter(), time.process_time()

    async def call() -> None:
        while (begin := time.perf_counter()) - began < seconds:
            await appended(store, an_append(events))
            latencies.append(round(1e6 * (time.perf_counter() - begin)))

    await asyncio.gather(*(call() for _ in range(callers)))
    took = time.perf_counter() - began
    return {"seconds": took, "cpu_seconds": time.process_time() - cpu, "latencies": latencies}


def an_append(events: int) -> Append:
    """A run's first events, with ids as the product draws them."""
    run = f"run-{uuid_utils.uuid7()}"
    return Append(streams=(StreamAppend(run, Expected.NONE, tuple(_event(run) for _ in range(events))),))


def _event(run: str) -> NewEvent:
    return NewEvent(
        event_id=uuid_utils.uuid7().bytes,
        type="ModelCalled",
        schema_version=1,
        occurred_at=Timestamp(time.time_ns() // 1000),
        causation_id=None,
        correlation_id=run,
        actor="local",
        payload=PAYLOAD,
    )


async def main(url: str, callers: str, events: str, seconds: str) -> None:
    """Append, and print the figures."""
    store = open_store(url)
    found = await append_for(store, int(callers), int(events), float(seconds))
    await store.aclose()
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
