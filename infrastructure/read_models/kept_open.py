"""Connections and the like that stay open from one question to the next, while somebody asks several."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """What is opened for a question."""

    def close(self) -> None:
        """Give it up."""


T = TypeVar("T", bound=Closable)


class KeptOpen(Generic[T]):
    """Opens one for who borrows it; what comes back is closed, or while somebody keeps them is the next one's."""

    def __init__(self, open: Callable[[], T]) -> None:
        self._open = open
        self._lock = threading.Lock()
        self._keeping = 0
        self._idle: list[T] = []

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What is given back meanwhile stays open for the next."""
        with self._lock:
            self._keeping += 1
        try:
            yield
        finally:
            with self._lock:
                self._keeping -= 1
                idle, self._idle = ([], self._idle) if self._keeping else (self._idle, [])
            for one in idle:
                one.close()

    @contextmanager
    def borrowed(self) -> Iterator[T]:
        """One that nobody else has; it is closed where its borrower fails. Raises what opening it raises."""
        with self._lock:
            one = self._idle.pop() if self._idle else None
        if one is None:
            one = self._open()
        try:
            yield one
        except BaseException:
            one.close()
            raise
        with self._lock:
            if self._keeping:
                self._idle.append(one)
                return
        one.close()
