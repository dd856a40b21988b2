"""Steps of a rebuild: here, or by processes that fold ahead of each other and write in the order of the log.

A process keeps what it folded until it is its turn, and writes it itself: rows that went to one writer instead would
cost as much on their way as folding them.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections import deque
from collections.abc import Sequence
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Protocol, Self

from ...domain.errors import OrchestratorError, StoreUnavailable
from .folding import Folded, fold_range, prepared
from .log_source import LogSource, open_log
from .registry import Entry
from .state import State
from .steps import Written, write_step

Range = tuple[tuple[str, ...], int, int]  # names, after, upto


class Steps(Protocol):
    """Who takes them."""

    def take(self, group: Sequence[Entry], after: int, upto: int, head: int) -> Written:
        """Fold the events at (after, upto] and write them; the next range, up to `head`, is likely to follow."""


class Here:
    """In this thread."""

    def __init__(self, log: LogSource, state: State) -> None:
        self._log = log
        self._state = state

    def take(self, group: Sequence[Entry], after: int, upto: int, head: int) -> Written:
        """Do it now."""
        folded = fold_range(self._log, [entry.name for entry in group], after, upto)
        return write_step(self._log, self._state, group, folded, upto)


class InTurns:
    """By processes, each a range ahead of its turn; what turns out not to be needed is thrown away."""

    def __init__(self, url: str, state: State, processes: int, step: int) -> None:
        self._step = step
        self._asked: deque[tuple[Range, Connection]] = deque()  # in the order of the log
        context = multiprocessing.get_context("spawn")  # a fork would share connections
        self._running = []
        self._idle: list[Connection] = []
        for _ in range(processes):
            mine, theirs = context.Pipe()
            process = context.Process(target=take_turns, args=(theirs, url, state), daemon=True)
            process.start()
            theirs.close()  # so that the end of the process is seen here
            self._running.append(process)
            self._idle.append(mine)

    def take(self, group: Sequence[Entry], after: int, upto: int, head: int) -> Written:
        """Give the turn to who folded the range, with the ranges behind it under way."""
        wanted = tuple(entry.name for entry in group), after, upto
        try:
            self._ask(wanted, head)
            _, process = self._asked.popleft()
            process.send(group)
            self._idle.append(process)
            self._ask(self._behind(wanted, head), head)  # it goes on as soon as it has written
            written: Written | OrchestratorError = process.recv()
        except (EOFError, OSError):
            raise StoreUnavailable(
                "a process that builds read models has ended: start again, it goes on from where it is"
            ) from None
        if isinstance(written, OrchestratorError):
            raise written
        return written

    def _ask(self, wanted: Range, head: int) -> None:
        """Have the range folded, and those behind it as far as there are processes."""
        if self._asked and self._asked[0][0] != wanted:
            for _, process in self._asked:
                process.send(None)
                self._idle.append(process)
            self._asked.clear()
        if self._asked:
            wanted = self._behind(self._asked[-1][0], head)
        while self._idle and wanted[1] < wanted[2]:
            process = self._idle.pop(0)
            process.send(wanted)
            self._asked.append((wanted, process))
            wanted = self._behind(wanted, head)

    def _behind(self, one: Range, head: int) -> Range:
        names, _, upto = one
        return names, upto, min(upto + self._step, head)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (*self._idle, *(process for _, process in self._asked)):
            process.close()  # each ends when it sees that
        for running in self._running:
            running.join()


def take_turns(pipe: Connection, url: str, state: State) -> None:
    """What a process does until the other end of the pipe is closed: fold a range, wait for its turn, write it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks is interrupted, and closes the pipe
    gc.disable()  # accumulators hold no cycles, and live as long as a range
    with suppress(EOFError, OSError), closing(open_log(url)) as log, state.kept():
        while True:
            names, after, upto = pipe.recv()
            found = _folded(log, names, after, upto)
            if (group := pipe.recv()) is not None:
                pipe.send(found if isinstance(found, OrchestratorError) else _written(log, state, group, found, upto))


def _folded(log: LogSource, names: Sequence[str], after: int, upto: int) -> dict[str, Folded] | OrchestratorError:
    """The range, with all that can be done ahead of the tables; or why it cannot be read."""
    try:
        return prepared(fold_range(log, names, after, upto))
    except OrchestratorError as error:
        return error


def _written(
    log: LogSource, state: State, group: Sequence[Entry], folded: dict[str, Folded], upto: int
) -> Written | OrchestratorError:
    try:
        return write_step(log, state, group, folded, upto)
    except OrchestratorError as error:
        return error
