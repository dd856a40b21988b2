"""Blocking calls into the asynchronous orchestrator: one event loop in a thread a process, made again after a fork."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from .bootstrap import Orchestrator
from .settings import Settings

T = TypeVar("T")
Work = Callable[[Orchestrator], Awaitable[T]]


class Portal:
    """An event loop in a daemon thread, and an Orchestrator for each settings that were used."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.closed = False
        self._orchestrators: list[Orchestrator] = []  # few: a process rarely has more than one set of settings
        self._tasks: set[asyncio.Task[Any]] = set()  # the callers' own; what they start ends with them
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="model-orchestrator", daemon=True)
        self._thread.start()

    def call(self, settings: Settings, work: Work[T]) -> T:
        """Do `work` in the thread and wait for it. An interrupt cancels it, and waits until the log is truthful."""
        task: Future[asyncio.Task[T]] = Future()
        ended = threading.Event()

        def start() -> None:
            task.set_result(self._loop.create_task(self._do(settings, work)))
            task.result().add_done_callback(lambda _: ended.set())  # also where it is cancelled before its first step

        self._loop.call_soon_threadsafe(start)
        try:
            ended.wait()
        except KeyboardInterrupt:
            self._loop.call_soon_threadsafe(lambda: task.result().cancel())
            ended.wait()
            raise
        return task.result().result()

    async def call_async(self, settings: Settings, work: Work[T]) -> T:
        """Do `work` in the thread and await it; a cancellation is passed on."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._do(settings, work), self._loop))

    def close(self) -> None:
        """Cancel what is under way, close the stores and end the thread."""
        if self.process == os.getpid() and not self.closed:
            self.closed = True
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    async def _do(self, settings: Settings, work: Work[T]) -> T:
        task = asyncio.current_task()
        assert task is not None, "the portal's work is always a task"
        self._tasks.add(task)
        try:
            return await work(self._orchestrator(settings))
        finally:
            self._tasks.discard(task)

    def _orchestrator(self, settings: Settings) -> Orchestrator:
        for orchestrator in self._orchestrators:
            if orchestrator.settings == settings:
                return orchestrator
        self._orchestrators.append(Orchestrator(settings))
        return self._orchestrators[-1]

    async def _end(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for orchestrator in self._orchestrators:
            await orchestrator.aclose()


_portal: Portal | None = None
_portal_lock = threading.Lock()


def shared_portal() -> Portal:
    """The process's portal; a forked child makes its own, and so does who comes after the end."""
    global _portal
    with _portal_lock:
        if _portal is None or _portal.process != os.getpid() or _portal.closed:
            _portal = Portal()
            atexit.register(_portal.close)
        return _portal
