"""Blocking calls into the asynchronous orchestrator: one event loop in a thread a process, made again after a fork."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

from .bootstrap import Orchestrator
from .settings import Settings

T = TypeVar("T")
Work = Callable[[Orchestrator], Awaitable[T]]


class Portal:
    """An event loop in a daemon thread, and an Orchestrator for each settings that were used."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._orchestrators: list[Orchestrator] = []  # few: a process rarely has more than one set of settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="model-orchestrator", daemon=True)
        self._thread.start()

    def call(self, settings: Settings, work: Work[T]) -> T:
        """Do `work` in the thread and wait for it. An interrupt cancels it, and waits until the log is truthful."""
        ended = threading.Event()
        future = self._submit(settings, work, ended)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            ended.wait()
            raise

    async def call_async(self, settings: Settings, work: Work[T]) -> T:
        """Do `work` in the thread and await it; a cancellation is passed on."""
        return await asyncio.wrap_future(self._submit(settings, work, threading.Event()))

    def close(self) -> None:
        """Cancel what is under way, close the stores and end the thread."""
        if self.process == os.getpid() and self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _submit(self, settings: Settings, work: Work[T], ended: threading.Event) -> Future[T]:
        async def task() -> T:
            try:
                return await work(self._orchestrator(settings))
            finally:
                ended.set()

        return asyncio.run_coroutine_threadsafe(task(), self._loop)

    def _orchestrator(self, settings: Settings) -> Orchestrator:
        for orchestrator in self._orchestrators:
            if orchestrator.settings == settings:
                return orchestrator
        self._orchestrators.append(Orchestrator(settings))
        return self._orchestrators[-1]

    async def _end(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for orchestrator in self._orchestrators:
            await orchestrator.aclose()


_portal: Portal | None = None
_portal_lock = threading.Lock()


def shared_portal() -> Portal:
    """The process's portal; a forked child makes its own."""
    global _portal
    with _portal_lock:
        if _portal is None or _portal.process != os.getpid():
            _portal = Portal()
            atexit.register(_portal.close)
        return _portal
