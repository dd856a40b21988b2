"""Ranges of the log, folded here or ahead of the writer by other processes."""

from __future__ import annotations

import gc
import multiprocessing
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Protocol, Self

from .folding import Folded, fold_in_worker, fold_range, open_in_worker
from .log_source import LogSource

Asked = tuple[tuple[str, ...], int, int]  # names, after, upto


class FoldAhead(Protocol):
    """Where ranges are folded."""

    def range(self, names: Sequence[str], after: int, upto: int, head: int) -> dict[str, Folded]:
        """The events at (after, upto] through each fold; the next range, up to `head`, is likely to follow."""


class Here:
    """In this thread."""

    def __init__(self, log: LogSource) -> None:
        self._log = log

    def range(self, names: Sequence[str], after: int, upto: int, head: int) -> dict[str, Folded]:
        """Fold it now."""
        return fold_range(self._log, names, after, upto)


class InProcesses:
    """By processes that stay two ranges ahead each; what turns out not to be needed is thrown away."""

    def __init__(self, url: str, processes: int, step: int) -> None:
        self._ahead = 2 * processes
        self._step = step
        self._pool = ProcessPoolExecutor(
            processes, multiprocessing.get_context("spawn"), initializer=open_in_worker, initargs=(url,)
        )
        self._collecting = True
        self._asked: OrderedDict[Asked, Future[dict[str, Folded]]] = OrderedDict()

    def range(self, names: Sequence[str], after: int, upto: int, head: int) -> dict[str, Folded]:
        """Wait for the range, with those behind it under way."""
        self._ask((tuple(names), after, upto))
        begin = upto
        while begin < head and len(self._asked) < self._ahead:
            end = min(begin + self._step, head)
            self._ask((tuple(names), begin, end))
            begin = end
        found = self._asked.pop((tuple(names), after, upto)).result()
        for asked in [one for one in self._asked if one[1] < upto or one[0] != tuple(names)]:
            self._asked.pop(asked).cancel()
        return found

    def _ask(self, asked: Asked) -> None:
        if asked not in self._asked:
            self._asked[asked] = self._pool.submit(fold_in_worker, *asked)

    def __enter__(self) -> Self:
        self._collecting = gc.isenabled()
        gc.disable()  # what comes from the processes is much, holds no cycles and is gone with its range
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._collecting:
            gc.enable()
        self._pool.shutdown(wait=True, cancel_futures=True)
