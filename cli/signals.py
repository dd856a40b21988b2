"""Signals inside a running event loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable


def on_signal(number: int, act: Callable[[], object]) -> None:
    """Call `act` in the running loop at each such signal, not what it does else; in the main thread only."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(number, act)
    except NotImplementedError:  # a loop on Windows takes no handlers
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(act))
