"""A reader of the live log, a program of its own: `python -m tests.stress.hosts.readers store|stream REPORT PLAN`.

`store` follows the log in the database, `stream` the service's /events/stream behind the balancer, as a browser would:
with the last position seen, again and again. Each begins at 0 and writes the position and id of every event as it
comes. PLAN is JSON: `url`, `token`. SIGTERM ends it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from model_orchestrator.domain.errors import StoreError
from model_orchestrator.infrastructure.store.opening import open_store

from .clients import BALANCED

PAUSE = 0.2  # seconds before a reader looks again
SILENCE = 25.0  # seconds without a sign of life, after which a stream is taken for dead; it sends one every 10


async def from_store(plan: dict[str, Any]) -> AsyncIterator[tuple[int, str]]:
    """Every event of the database's log; a database that is away is waited for."""
    after, store = 0, None
    while True:
        try:
            store = store or open_store(plan["url"])
            async for entry in store.tail(after=after):
                after = entry.position
                yield entry.position, entry.event_id.hex()
        except StoreError:
            await asyncio.sleep(PAUSE)


async def from_stream(plan: dict[str, Any]) -> AsyncIterator[tuple[int, str]]:
    """Every event of the service's stream."""
    after = 0
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=SILENCE)
    headers = {"authorization": f"Bearer {plan['token']}"}
    async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
        while True:
            try:
                last = {"last-event-id": str(after)}
                async with session.get(f"{BALANCED}/events/stream", headers=last) as response:
                    async for line in response.content:
                        if line.startswith(b"data: ") and response.status == 200:
                            event = json.loads(line[6:])
                            after = event["position"]
                            yield after, event["event_id"].replace("-", "")
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                pass
            await asyncio.sleep(PAUSE)


async def main(kind: str, report: Path, plan: dict[str, Any]) -> None:
    """Write what is seen, until it is asked to end."""
    events = from_store(plan) if kind == "store" else from_stream(plan)
    with report.open("w", buffering=1) as file:

        async def follow() -> None:
            async for position, event_id in events:
                file.write(f"{position} {event_id}\n")

        following = asyncio.create_task(follow())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, following.cancel)
        await asyncio.wait([following])
        if not following.cancelled():
            following.result()


def seen_of(report: Path) -> list[tuple[int, str]]:
    """What a reader wrote."""
    lines = (line.split() for line in report.read_text().splitlines())
    return [(int(position), event_id) for position, event_id in lines]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])))
