"""Appends as fast as it can: `python -m tests.stress.hosts.appender URL SECONDS CALLERS`; prints how many were durable.

An append is five events of 400 bytes of payload and a text, about what a run writes before its call leaves, and again
after it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from uuid import uuid4

from model_orchestrator.application.ports import Append, Content
from model_orchestrator.infrastructure.store.opening import open_store
from tests.contracts.appends import appended, new_event, on_stream

EVENTS = 5  # of one append
PAYLOAD = '{"text":"' + "x" * 389 + '"}'  # 400 bytes


def an_append(stream: str) -> Append:
    """As a run writes them."""
    content = Content(
        ref=os.urandom(16).hex(), stream=stream, subject=None, salt=os.urandom(16), body="What is Python?"
    )
    return on_stream(stream, *(new_event(PAYLOAD) for _ in range(EVENTS)), contents=[content])


async def main(url: str, seconds: float, callers: int) -> int:
    """The appends that were durable in time."""
    store = open_store(url)
    until = time.monotonic() + seconds

    async def call() -> int:
        count = 0
        while time.monotonic() < until:
            await appended(store, an_append(f"bench-{uuid4()}"))
            count += 1
        return count

    try:
        return sum(await asyncio.gather(*(call() for _ in range(callers))))
    finally:
        await store.aclose()


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))), flush=True)
