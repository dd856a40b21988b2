"""Wakes whoever waits for the log to grow, in every event loop of the process."""

from __future__ import annotations

import asyncio
import threading

Seat = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Wakeups:
    """A bell: waiters sit down before they look, so that a ring between looking and waiting is not lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seats: set[Seat] = set()

    def sit(self) -> Seat:
        """A seat in the running loop; its future is done after the next ring."""
        loop = asyncio.get_running_loop()
        seat = (loop, loop.create_future())
        with self._lock:
            self._seats.add(seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """Give the seat up, rung or not."""
        with self._lock:
            self._seats.discard(seat)

    def ring(self) -> None:
        """Wake everyone who sits."""
        if not self._seats:
            return
        with self._lock:
            seats, self._seats = self._seats, set()
        for loop, future in seats:
            try:
                loop.call_soon_threadsafe(_wake, future)
            except RuntimeError:  # that loop was closed
                continue

    def after_fork_in_child(self) -> None:
        """The parent's waiters stayed with the parent."""
        self._lock = threading.Lock()
        self._seats = set()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
