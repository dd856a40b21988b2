"""Appends as fast as it can: `python -m tests.stress.hosts.appender URL SECONDS CALLERS`; prints how many were durable.

An append is five events of 400 bytes of payload, about what a run writes before its call leaves, and again after it.
"""

from __future__ import annotations

import asyncio
import sys
import time

from model_orchestrator.infrastructure.store.opening import open_store
from tests.benchmarks.append_load import an_append
from tests.contracts.appends import appended

EVENTS = 5


async def main(url: str, seconds: float, callers: int) -> int:
    """The appends that were durable in time."""
    store = open_store(url)
    until = time.monotonic() + seconds

    async def call() -> int:
        count = 0
        while time.monotonic() < until:
            await appended(store, an_append(EVENTS))
            count += 1
        return count

    try:
        return sum(await asyncio.gather(*(call() for _ in range(callers))))
    finally:
        await store.aclose()


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))), flush=True)
