"""Many callers, one durable commit: a disk is bounded by commits a second, so callers share them.

Callers queue; one thread takes everything that waits and commits it as one batch; meanwhile the next batch gathers.
Nothing waits for a timer. A caller who is alone commits in its own thread, which spares it two thread switches. The
queue is bounded: whoever finds it full waits at the door, in order of arrival.

Callers may live in several event loops and threads. A cancelled caller stops waiting; its append stays queued and may
become durable, and nobody else notices.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...application.ports import AppendResult
from ...domain.errors import StoreUnavailable
from .append_rules import Outcome

T = TypeVar("T")  # an append as its engine wants it
Delivery = Outcome | BaseException | None


@dataclass(slots=True, eq=False)
class Waiter:
    """A caller's seat in its own event loop."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Delivery]

    @classmethod
    def here(cls) -> Waiter:
        """A seat in the running loop."""
        loop = asyncio.get_running_loop()
        return cls(loop, loop.create_future())


@dataclass(slots=True)
class Entry(Generic[T]):
    """An append in the queue."""

    append: T
    waiter: Waiter


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Work the writer thread does after its callers are answered."""

    is_due: Callable[[], bool]
    do: Callable[[], None]


class GroupCommit(Generic[T]):
    """Gives `append_batch` its callers in batches of up to `max_batch`; at most `max_queue` wait inside.

    append_alone: commits a lone append in the caller's thread, or returns None where that would have to wait.
    after_commit: told once a batch, when it is durable.
    """

    def __init__(
        self,
        append_batch: Callable[[Sequence[T]], list[Outcome]],
        *,
        append_alone: Callable[[T], Outcome | None] | None = None,
        after_commit: Callable[[], None] | None = None,
        upkeep: Upkeep | None = None,
        max_batch: int = 256,
        max_queue: int = 1024,
    ) -> None:
        self._append_batch = append_batch
        self._append_alone = append_alone
        self._after_commit = after_commit or _nothing
        self._upkeep = upkeep or Upkeep(lambda: False, _nothing)
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._closed = False
        self._start_empty()

    def _start_empty(self) -> None:
        self._state = threading.Condition()  # guards everything below
        self._queue: deque[Entry[T]] = deque()
        self._door: deque[Waiter] = deque()
        self._reserved = 0  # places in the queue, promised to callers from the door
        self._callers = 0  # inside `append`
        self._committing = False
        self._thread: threading.Thread | None = None

    @property
    def callers(self) -> int:
        """How many wait inside `append`."""
        return self._callers

    async def append(self, append: T) -> AppendResult:
        """The outcome of the append once it is durable. Raises what the store says of it."""
        self._count(1)
        try:
            if self._append_alone is not None:
                await asyncio.sleep(0)  # whoever is about to append gets counted first
                if (outcome := self._alone(append)) is not None:
                    return _result(outcome)
            return _result(await self._queued(append))
        finally:
            self._count(-1)

    def _count(self, callers: int) -> None:
        with self._state:
            self._callers += callers

    def _alone(self, append: T) -> Outcome | None:
        """The outcome of a commit right here; None where somebody else is there or the store would have to wait."""
        assert self._append_alone is not None
        with self._state:
            self._refuse_when_closed()
            if self._callers > 1 or self._committing or self._queue:
                return None
            self._committing = True
        try:
            outcome = self._append_alone(append)
        finally:
            with self._state:
                self._committing = False
                if self._work_is_due():
                    self._wake_writer()
        self._after_commit()
        return outcome

    # ---- the queue ----

    async def _queued(self, append: T) -> Delivery:
        entry = Entry(append, Waiter.here())
        if (gate := self._enter(entry)) is not None:
            await self._wait_at(gate)
            self._take_reserved_place(entry)
        return await entry.waiter.future

    def _enter(self, entry: Entry[T]) -> Waiter | None:
        """Queue the entry; or, where there is no place, the gate to wait at."""
        with self._state:
            self._refuse_when_closed()
            if not self._door and len(self._queue) + self._reserved < self._max_queue:
                self._queue.append(entry)
                self._wake_writer()
                return None
            gate = Waiter.here()
            self._door.append(gate)
            return gate

    async def _wait_at(self, gate: Waiter) -> None:
        try:
            await gate.future
        except asyncio.CancelledError:
            with self._state:
                if gate in self._door:
                    self._door.remove(gate)
                else:  # a place was promised: pass it on
                    self._reserved -= 1
                    self._open_door()
            raise

    def _take_reserved_place(self, entry: Entry[T]) -> None:
        with self._state:
            self._reserved -= 1
            self._refuse_when_closed()
            self._queue.append(entry)
            self._wake_writer()

    def _open_door(self) -> None:
        """Promise every free place to whoever waits longest."""
        while self._door and (self._closed or len(self._queue) + self._reserved < self._max_queue):
            self._reserved += _deliver([(self._door.popleft(), None)])

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable("the event store is closed: open a new one")

    # ---- the writer ----

    def _wake_writer(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="event-store-writer", daemon=True)
            self._thread.start()
        self._state.notify_all()

    def _write(self) -> None:
        while (batch := self._next_batch()) is not None:
            if batch:
                self._commit(batch)
            if self._upkeep.is_due():
                self._upkeep.do()

    def _next_batch(self) -> list[Entry[T]] | None:
        """What waits, empty where only upkeep is due; None at the end."""
        with self._state:
            while not self._work_is_due():
                self._state.wait()
            if self._closed and not self._queue:
                self._thread = None
                self._state.notify_all()
                return None
            batch = [self._queue.popleft() for _ in range(min(self._max_batch, len(self._queue)))]
            self._committing = bool(batch)
            self._open_door()
            return batch

    def _work_is_due(self) -> bool:
        return not self._committing and (bool(self._queue) or self._closed or self._upkeep.is_due())

    def _commit(self, batch: list[Entry[T]]) -> None:
        outcomes: Sequence[Delivery]
        try:
            outcomes = self._append_batch([entry.append for entry in batch])
        except BaseException as error:
            outcomes = [error] * len(batch)
        with self._state:
            self._committing = False
        _deliver([(entry.waiter, outcome) for entry, outcome in zip(batch, outcomes, strict=True)])
        self._after_commit()

    # ---- the end ----

    async def aclose(self) -> None:
        """Refuse new appends, commit what waits, stop the thread."""
        with self._state:
            self._closed = True
            self._open_door()
            self._state.notify_all()
            if self._thread is None and not self._committing:
                return
        await asyncio.get_running_loop().run_in_executor(None, self._wait_for_the_end)

    def _wait_for_the_end(self) -> None:
        with self._state:
            while self._thread is not None or self._committing:
                self._state.wait()

    def after_fork_in_child(self) -> None:
        """The parent's callers and its thread stayed with the parent."""
        self._start_empty()


def _nothing() -> None:
    pass


def _result(outcome: Delivery) -> AppendResult:
    if isinstance(outcome, BaseException):
        raise outcome
    assert outcome is not None
    return outcome


def _deliver(deliveries: Sequence[tuple[Waiter, Delivery]]) -> int:
    """Wake the waiters in their own loops, with one call a loop; how many could be."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[Waiter, Delivery]]] = {}
    for waiter, outcome in deliveries:
        loops.setdefault(waiter.loop, []).append((waiter, outcome))
    woken = 0
    for loop, part in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, part)
        except RuntimeError:  # that loop was closed: nobody waits there any more
            continue
        woken += len(part)
    return woken


def _resolve(deliveries: Sequence[tuple[Waiter, Delivery]]) -> None:
    for waiter, outcome in deliveries:
        if not waiter.future.done():
            waiter.future.set_result(outcome)
