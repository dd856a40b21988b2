"""A run's single appender: folds what happens, and makes it durable in as few commits as there are effects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from ..domain.events import AttemptFailed, AttemptLost, CostIncurred, ModelCalled, RunEvent
from ..domain.run import Run, evolve, fold
from .ports import Append, Appended, Content, RunLog, VersionConflict

T = TypeVar("T")
Observer = Callable[[str, RunEvent], None]  # gets the run's id and each event once it is durable
FACTS = (ModelCalled, AttemptFailed, AttemptLost, CostIncurred)  # outcomes: true whatever else was appended meanwhile


class RunSession:
    """The run as it stands in this process: `run` is folded, what is pending of it is not in the log yet."""

    def __init__(self, log: RunLog, run: Run, *, observe: Observer, beside: Append | None = None) -> None:
        self._log = log
        self._observe = observe
        self.run = run
        self._durable_version = run.version
        self._pending: list[RunEvent] = []
        self._contents: list[Content] = []
        self._beside = beside
        self._cause: str | None = None  # id of the last event appended here

    def record(self, event: RunEvent, contents: Sequence[Content] = ()) -> None:
        """Fold a fact in memory; `flush` makes it durable."""
        self.run = evolve(self.run, event)
        self._pending.append(event)
        self._contents.extend(contents)

    def record_all(self, outcome: tuple[Sequence[RunEvent], Sequence[Content]]) -> None:
        """Fold several facts, with their texts."""
        events, contents = outcome
        for event in events:
            self.record(event)
        self._contents.extend(contents)

    async def flush(self) -> None:
        """Append what is pending, in one commit, even while the task is being cancelled."""
        await uninterrupted(self._flush())

    async def _flush(self) -> None:
        while self._pending:
            result, last_event = await self._log.append(
                self.run.id,
                expected=self._durable_version,
                events=self._pending,
                contents=self._contents,
                cause=self._cause,
                beside=self._beside,
            )
            match result:
                case Appended():
                    recorded, self._pending = self._pending, []
                    self._contents, self._beside, self._cause = [], None, last_event
                    self._durable_version = self.run.version
                    for event in recorded:
                        self._observe(self.run.id, event)
                case VersionConflict():
                    await self._reload()
                case _:
                    raise AssertionError("nothing was held, so no hold can be refused")

    async def _reload(self) -> None:
        """Another process appended first: what was decided here is dropped, what happened here is kept."""
        logged = await self._log.read(self.run.id)
        self.run = fold(self.run.id, [entry.event for entry in logged])
        self._durable_version = self.run.version
        facts = [event for event in self._pending if isinstance(event, FACTS)]
        self._pending = []
        for fact in facts:
            self.record(fact)


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work` before a cancellation of the caller is let through."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        if not task.cancelled():
            task.result()
        raise
