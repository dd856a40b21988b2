"""Many callers, one durable commit: a disk is bounded by commits a second, so callers share them.

Callers queue. At the end of its turn, or of a few turns where several come together, the event loop commits all that
came, in one batch and on the loop itself, as long as the disk is quick or the caller alone, and nobody else writes: no
thread is switched to, and no caller is woken from outside. Otherwise one thread takes everything that waits and commits
it as one batch; meanwhile the next batch gathers. Nothing waits for a timer. The queue is bounded: whoever finds it
full waits at the door, in order of arrival.

Callers may live in several event loops and threads. A cancelled caller stops waiting; its append stays queued and may
become durable, and nobody else notices.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from queue import SimpleQueue
from typing import Generic, TypeVar

from ...application.ports import AppendResult
from ...domain.errors import StoreUnavailable
from .append_rules import Outcome
from .commit_pace import CommitPace, Stopwatch
from .gathering import Gathering
from .seats import Delivery, Seat, answer, sit

_CLOSED = "the event store is closed: open a new one"
T = TypeVar("T")  # an append as its engine wants it


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Work the writer thread does after its callers are answered."""

    is_due: Callable[[], bool]
    do: Callable[[], None]


class GroupCommit(Generic[T]):
    """Gives `append_batch` its callers in batches of up to `max_batch`; at most `max_queue` wait inside.

    append_inline: commits a batch on the event loop, or returns None where that would have to wait for somebody.
    after_commit: told once a batch, when it is durable.
    """

    def __init__(
        self,
        append_batch: Callable[[Sequence[T]], list[Outcome]],
        *,
        append_inline: Callable[[Sequence[T]], list[Outcome] | None] | None = None,
        after_commit: Callable[[], None] | None = None,
        upkeep: Upkeep | None = None,
        max_batch: int = 256,
        max_queue: int = 1024,
    ) -> None:
        self._append_batch = append_batch
        self._append_inline = append_inline
        self._after_commit = after_commit or _nothing
        self._upkeep = upkeep or Upkeep(lambda: False, _nothing)
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._closed = False  # nobody comes in any more
        self._is_over = False  # and nobody looks at the queue any more
        self._pace = CommitPace()
        self._gathering = Gathering()
        self._start_empty()

    def _start_empty(self) -> None:
        self._state = threading.Lock()  # guards everything below
        self._queue: deque[tuple[T, Seat]] = deque()
        self._door: deque[Seat] = deque()
        self._reserved = 0  # places in the queue, promised to callers from the door
        self._busy = False  # somebody commits or keeps up, and looks after the queue afterwards
        self._committing = 0  # appends in the batch under way
        self._flushes: set[asyncio.AbstractEventLoop] = set()  # loops that will look at the queue
        self._thread: threading.Thread | None = None
        self._awake = False  # the thread looks for work, or was rung for
        self._bell: SimpleQueue[None] = SimpleQueue()

    @property
    def callers(self) -> int:
        """How many wait inside `append`."""
        return len(self._door) + self._reserved + len(self._queue) + self._committing

    async def append(self, append: T) -> AppendResult:
        """The outcome of the append once it is durable. Raises what the store says of it."""
        seat = sit()
        # No lock while there is room: the writer's thread may hold it and wait for Python's own, which this one has.
        if not self._closed and not self._door and len(self._queue) + self._reserved < self._max_queue:
            self._put(append, seat)
        elif (gate := self._enter(append, seat)) is not None:
            await self._wait_at(gate)
            self._take_reserved_place(append, seat)
        outcome = await seat[1]
        if isinstance(outcome, BaseException):
            raise outcome
        assert outcome is not None
        return outcome

    # ---- the queue ----

    def _enter(self, append: T, seat: Seat) -> Seat | None:
        """Queue the append; or, where there is no place, the gate to wait at."""
        with self._state:
            self._refuse_when_closed()
            if not self._door and len(self._queue) + self._reserved < self._max_queue:
                self._put(append, seat)
                return None
            gate = sit()
            self._door.append(gate)
            if not self._busy:  # whoever filled the queue may have left with a loop that has no more turns
                self._wake_writer()
            return gate

    def _put(self, append: T, seat: Seat) -> None:
        """Queue the append, then look who is busy; whoever is says first that he is no more, then looks here."""
        self._queue.append((append, seat))
        loop = seat[0]
        if not self._busy and loop not in self._flushes:
            self._flushes.add(loop)
            self._gathering.call(loop, self._flush)

    async def _wait_at(self, gate: Seat) -> None:
        try:
            await gate[1]
        except asyncio.CancelledError:
            with self._state:
                if gate in self._door:
                    self._door.remove(gate)
                else:  # a place was promised: pass it on
                    self._reserved -= 1
                    self._open_door()
            raise

    def _take_reserved_place(self, append: T, seat: Seat) -> None:
        with self._state:
            self._reserved -= 1
            self._refuse_when_closed()
            self._put(append, seat)

    def _open_door(self) -> None:
        """Promise every free place to whoever waits longest."""
        while self._door and (self._closed or len(self._queue) + self._reserved < self._max_queue):
            self._reserved += answer([(self._door.popleft(), None)])

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable(_CLOSED)

    def _take_batch(self) -> list[tuple[T, Seat]]:
        self._busy = True
        batch = [self._queue.popleft() for _ in range(min(self._max_batch, len(self._queue)))]
        self._committing = len(batch)
        self._gathering.came(len(batch))
        self._open_door()
        return batch

    # ---- on the loop ----

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        """Commit what came, or leave it to the writer's thread."""
        self._flushes.discard(loop)
        if self._busy:
            return
        with self._state:
            if self._busy or not self._queue:
                return
            if self._is_over:  # it came from another thread while the door was shut
                refused = StoreUnavailable(_CLOSED)
                answer([(self._queue.popleft()[1], refused) for _ in range(len(self._queue))])
                return
            if self._append_inline is None or not self._pace.on_loop(len(self._queue)):
                self._wake_writer()
                return
            batch = self._take_batch()
        self._commit_inline(self._append_inline, batch, loop)

    def _commit_inline(
        self,
        append_inline: Callable[[Sequence[T]], list[Outcome] | None],
        batch: Sequence[tuple[T, Seat]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        watch = Stopwatch()
        outcomes: Sequence[Delivery] | None
        try:
            outcomes = append_inline([append for append, _ in batch])
        except BaseException as error:
            outcomes = [error] * len(batch)
        with self._state:
            self._busy, self._committing = False, 0
            if outcomes is None:
                self._queue.extendleft(reversed(batch))
            self._pace.waited(inf if outcomes is None else watch.idle(), inline=True)
            if self._work_is_due():
                self._wake_writer()
        if outcomes is not None:
            self._answer(batch, outcomes, loop)

    # ---- the writer's thread ----

    def _wake_writer(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._write, name="event-store-writer", daemon=True)
            thread.start()
            self._thread = thread  # not one that could not be started
        if not self._awake:
            self._awake = True
            self._bell.put(None)

    def _write(self) -> None:
        while (batch := self._next_batch()) is not None:
            if batch:
                self._commit(batch)
            if self._upkeep.is_due():
                self._upkeep.do()
            with self._state:
                self._busy = False

    def _next_batch(self) -> list[tuple[T, Seat]] | None:
        """What waits, empty where only upkeep is due; None at the end."""
        while True:
            with self._state:
                if self._work_is_due():
                    if self._closed and not self._queue:
                        self._is_over = True
                        return None
                    return self._take_batch()
                self._awake = False
            self._bell.get()

    def _work_is_due(self) -> bool:
        return not self._busy and (bool(self._queue) or self._closed or self._upkeep.is_due())

    def _commit(self, batch: Sequence[tuple[T, Seat]]) -> None:
        watch = Stopwatch()
        outcomes: Sequence[Delivery]
        try:
            outcomes = self._append_batch([append for append, _ in batch])
        except BaseException as error:
            outcomes = [error] * len(batch)
        with self._state:
            self._committing = 0
            self._pace.waited(watch.idle(), inline=False)
        self._answer(batch, outcomes)

    def _answer(
        self,
        batch: Sequence[tuple[T, Seat]],
        outcomes: Sequence[Delivery],
        here: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        answer([(seat, outcome) for (_, seat), outcome in zip(batch, outcomes, strict=True)], here)
        self._after_commit()

    # ---- the end ----

    async def aclose(self) -> None:
        """Refuse new appends, commit what waits, stop the thread."""
        with self._state:
            self._closed = True
            self._open_door()
            if self._thread is None and not self._queue and not self._busy:
                self._is_over = True
                return
            self._wake_writer()
            thread = self._thread
        assert thread is not None
        await asyncio.get_running_loop().run_in_executor(None, thread.join)

    def after_fork_in_child(self) -> None:
        """The parent's callers and its thread stayed with the parent."""
        self._start_empty()


def _nothing() -> None:
    pass
