"""Where callers wait for the outcome of their appends: each in its own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from .append_rules import Outcome

Delivery = Outcome | BaseException | None
Seat = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Delivery]"]


def sit() -> Seat:
    """A seat in the running loop."""
    loop = asyncio.get_running_loop()
    return loop, loop.create_future()


def answer(deliveries: Sequence[tuple[Seat, Delivery]], here: asyncio.AbstractEventLoop | None = None) -> int:
    """Wake the callers in their own loops, with one call a loop other than this one; how many could be."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Delivery], Delivery]]] = {}
    for (loop, future), outcome in deliveries:
        loops.setdefault(loop, []).append((future, outcome))
    woken = 0
    for loop, part in loops.items():
        if loop is here:
            _resolve(part)
        else:
            try:
                loop.call_soon_threadsafe(_resolve, part)
            except RuntimeError:  # that loop was closed: nobody waits there any more
                continue
        woken += len(part)
    return woken


def _resolve(deliveries: Sequence[tuple[asyncio.Future[Delivery], Delivery]]) -> None:
    for future, outcome in deliveries:
        if not future.done():
            future.set_result(outcome)
