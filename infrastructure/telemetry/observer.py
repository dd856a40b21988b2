"""Passes each durable event of a run on to OpenTelemetry, in a thread of its own: a run waits for nothing.

The SDK is imported in that thread, at the first event, and only where OTEL_* asks for it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

from ...domain.events import RunEvent
from ...domain.units import Timestamp
from ..logging import RunLogging
from .observed import FIRST, Gathering, ObservedRun
from .parent import NOTHING, carrier
from .signals import EXTRA, Signals, is_installed, signals_of

if TYPE_CHECKING:
    from .export import Export

MOST_WAITING = 100_000  # events; what comes beyond them is dropped
CLOSING = 5.0  # seconds that closing waits for the collector, at the most
Item = tuple[str, RunEvent, Timestamp, Mapping[str, str]]


class RunTelemetry:
    """Off, and then free of cost, unless the environment names an OTLP endpoint or an exporter."""

    def __init__(self, logging: RunLogging, version: str, env: Mapping[str, str] | None = None) -> None:
        self._logging, self._version = logging, version
        self._env = os.environ if env is None else env
        self._signals: Signals | None = None
        self._refused = ""  # why it is off although it was asked for
        try:
            self._signals = signals_of(self._env)
        except ValueError as error:
            self._refused = str(error)
        self._thread: _Thread | None = None

    def observe(self, run_id: str, event: RunEvent, at: Timestamp) -> None:
        """Take in an event that is durable since `at`."""
        if self._signals is None:
            if self._refused:
                self._refuse()
            return
        if self._thread is None or not self._thread.is_alive():  # it never outlives a fork
            if not is_installed():
                self._refused = f"OTEL_* asks for telemetry, which needs an extra: pip install '{EXTRA}'"
                self._signals = None
                self._refuse()
                return
            self._thread = _Thread(self._signals, self._version, self._logging)
            self._thread.start()
        if self._thread.items.qsize() < MOST_WAITING:
            headers = carrier.get() if isinstance(event, FIRST) else NOTHING
            self._thread.items.put((run_id, event, at, headers))

    async def aclose(self) -> None:
        """Send what is left, for CLOSING seconds at the most; a collector that cannot be reached is not waited for."""
        thread, self._thread = self._thread, None
        if thread is None or not thread.is_alive():
            return
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def finish() -> None:
            with suppress(RuntimeError):  # the loop is gone already
                loop.call_soon_threadsafe(done.set)

        thread.end(finish)
        try:
            await asyncio.wait_for(done.wait(), CLOSING)
            thread.give_up()
        except TimeoutError:
            thread.give_up("no collector answered in time")

    def _refuse(self) -> None:
        """Say once why nothing is sent."""
        self._logging.trouble("TelemetryOff", why=self._refused)
        self._refused = ""


class _Thread(threading.Thread):
    """Gathers runs and exports those that have ended."""

    def __init__(self, signals: Signals, version: str, logging: RunLogging) -> None:
        super().__init__(name="model-orchestrator-telemetry", daemon=True)
        self.items: SimpleQueue[Item | None] = SimpleQueue()
        self._signals, self._version, self._logging = signals, version, logging
        self._opening = threading.Thread(target=self._open, name="model-orchestrator-telemetry-start")
        self._export: Export | None = None
        self._is_told = False
        self._finish: Callable[[], None] = lambda: None
        self._is_ending = False

    def start(self) -> None:
        """Begin. A process that ends at once waits for the SDK's start, which is not possible any more after it."""
        self._opening.start()
        super().start()

    def end(self, finish: Callable[[], None]) -> None:
        """Export what is left; `finish` is called once that is done, or cannot be."""
        self._finish = finish
        self._is_ending = True
        self.items.put(None)

    def give_up(self, why: str | None = None) -> None:
        """Wait for the collector no longer, where something is left to send."""
        if (export := self._export) is not None:
            if why is not None:
                self._trouble(why)
            export.give_up()

    def run(self) -> None:
        """Until the end is asked for."""
        self._opening.join()
        runs = Gathering()
        while (item := self.items.get()) is not None:
            if (ended := runs.add(*item)) is not None:
                self._send(ended)
        for one in runs.rest():
            self._send(one)
        if self._export is not None:
            try:
                self._export.close()
            except Exception as error:  # the SDK raises where its own deadline has passed
                self._tell(type(error).__name__)
            self._export = None
        self._finish()

    def _send(self, run: ObservedRun) -> None:
        """Export a run; one that cannot be exported is told, and ends nothing."""
        try:
            if self._export is not None:
                self._export.run(run)
        except Exception as error:
            self._tell(type(error).__name__)

    def _open(self) -> None:
        try:
            from .export import Export

            self._export = Export(self._signals, self._version, self._trouble)
        except Exception as error:  # whatever the SDK makes of its settings, runs go on
            self._logging.trouble("TelemetryOff", why=f"the OpenTelemetry SDK did not start: {type(error).__name__}")

    def _trouble(self, why: str) -> None:
        """Something does not leave: no reason to wait at the end."""
        self._tell(why)
        if self._is_ending:
            self._finish()

    def _tell(self, why: str) -> None:
        """Once."""
        if not self._is_told:
            self._is_told = True
            self._logging.trouble("TelemetryNotSent", why=why)
