"""Rate limits and breakers of one process, in memory: for a database in memory, and for tests with their own clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from ...application.limits import Receipt
from ...domain.breaker import RULES, Breaker, BreakerRules, BreakerState
from ...domain.units import Timestamp
from . import gcra
from .booked import BookedLimiter, system_now
from .gcra import Books, Call, Place
from .stored_breakers import Step, StoredBreakers


class MemoryRateLimiter(BookedLimiter):
    """The RateLimiter port for one process."""

    def __init__(self, *, clock: Callable[[], Timestamp] = system_now) -> None:
        self._clock = clock
        self._mutex = threading.Lock()
        self._kept: dict[str, Books] = {}
        self._free: dict[str, list[Place]] = {}  # given back

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _reserve(self, model: str, call: Call) -> tuple[Place, Timestamp]:
        with self._mutex:
            now, books = self._clock(), self._kept.get(model)
            place = self._free_place(model, call.weight, now)
            if place is not None:
                self._free[model].remove(place)
                return place, now
            self._kept[model] = gcra.reserved(books, now, call) if books else gcra.begun(now, call)
            return gcra.last_place(self._kept[model], call), now

    async def _admit(self, model: str, call: Call) -> int:
        with self._mutex:
            now, books = self._clock(), self._kept.get(model)
            wait = gcra.wait(books, now, call)
            if not wait:
                self._kept[model] = gcra.reserved(books, now, call) if books else gcra.begun(now, call)
            return wait

    async def _correct(self, model: str, receipt: Receipt, *, requests: int, tokens: int) -> None:
        with self._mutex:
            self._change(model, receipt, requests, tokens)

    async def _cancel(self, model: str, place: Place, call: Call) -> None:
        with self._mutex:
            now, books = self._clock(), self._kept.get(model)
            if books and (without := gcra.undone(books, place.receipt)):
                self._kept[model] = without
            elif books and books.life == place.receipt.life and place.start > now:
                kept = [one for one in self._free.get(model, []) if one.start >= now]
                self._free[model] = [*kept, place]
            else:
                self._change(model, place.receipt, -call.requests.cost, -call.tokens.cost)

    async def _look(self, model: str, tokens: int) -> tuple[Books | None, int | None, Timestamp]:
        with self._mutex:
            now = self._clock()
            place = self._free_place(model, tokens, now)
            return self._kept.get(model), place.start if place else None, now

    def _free_place(self, model: str, tokens: int, now: Timestamp) -> Place | None:
        books = self._kept.get(model)
        fitting = (
            place
            for place in self._free.get(model, ())
            if books and books.life == place.receipt.life and books.asked <= now <= place.start
            if place.tokens >= tokens
        )
        return min(fitting, key=lambda place: place.start, default=None)

    def _change(self, model: str, receipt: Receipt, requests: int, tokens: int) -> None:
        books = self._kept.get(model)
        if books is not None and books.life == receipt.life:
            self._kept[model] = gcra.corrected(books, receipt, requests=requests, tokens=tokens)


class MemoryBreakers(StoredBreakers):
    """The Breakers port for one process."""

    def __init__(self, *, rules: BreakerRules = RULES, clock: Callable[[], Timestamp] = system_now) -> None:
        super().__init__(rules)
        self._clock = clock
        self._mutex = threading.Lock()
        self._kept: dict[str, Breaker] = {}

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _read(self, names: Sequence[str]) -> tuple[Mapping[str, Breaker], Timestamp]:
        return self._kept, self._clock()

    async def _change(self, name: str, step: Step) -> BreakerState:
        with self._mutex:
            self._kept[name], state = step(self._kept.get(name, Breaker()), self._clock())
        return state
