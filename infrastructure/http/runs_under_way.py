"""The runs of one worker: so many at once, none cut because its client left, and all told when the worker stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from ...application.departure import Departure
from ...application.result import OrchestrationResult
from .failure import Refused

Work = Callable[[Departure], Coroutine[Any, Any, OrchestrationResult]]
RunTask = asyncio.Task[OrchestrationResult]


class RunsUnderWay:
    """Starts runs in tasks of their own."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tasks: dict[RunTask, Departure] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    def departures(self) -> tuple[Departure, ...]:
        """Of each run under way, whether its client left."""
        return tuple(self._tasks.values())

    def start(self, work: Work) -> tuple[RunTask, Departure]:
        """The run's task, and how to tell it that its client left. Raises Refused at once where there are too many."""
        if self._is_closed:
            raise Refused(503, "stopping", "the service is stopping: ask again in a moment", retry_after=1)
        if len(self._tasks) >= self._most:
            raise Refused(503, "overloaded", f"{self._most} runs are under way already: ask again", retry_after=1)
        departure = Departure()
        task = asyncio.create_task(work(departure))
        self._tasks[task] = departure
        task.add_done_callback(self._ended)
        return task, departure

    async def finish(self, grace: float) -> int:
        """Let them end for so many seconds; the rest is left to be resumed. How many were left."""
        self._is_closed = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        left = list(self._tasks)
        for task in left:
            self._tasks[task].is_resumable = True
            task.cancel()
        if left:
            await asyncio.wait(left)
        return len(left)

    def _ended(self, task: RunTask) -> None:
        del self._tasks[task]
        if not task.cancelled():
            task.exception()  # whoever waits for it has it; else it is in the log
