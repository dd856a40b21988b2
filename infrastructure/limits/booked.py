"""What every rate limiter does beside keeping its books: prices, grants, corrections."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from ...application.limits import Grant, Limits, Receipt
from ...domain.units import MILLION, Timestamp
from . import gcra
from .gcra import Books, Call, Place


def system_now() -> Timestamp:
    """The system's clock, UTC."""
    return Timestamp(time.time_ns() // 1000)


class BookedLimiter(ABC):
    """The RateLimiter port on top of books kept somewhere."""

    async def reserve(self, model: str, limits: Limits, *, tokens: int) -> Grant:
        """Take a place that was given back, or the next one in the queue."""
        tokens = gcra.reservable(limits, tokens)
        if limits.unlimited:
            return Grant(model=model, limits=limits, tokens=tokens, wait=0.0, granted_at=system_now(), receipt=None)
        place, now = await self._reserve(model, gcra.call(limits, tokens))
        return Grant(
            model=model,
            limits=limits,
            tokens=place.tokens,
            wait=(place.start - now) / MILLION,
            granted_at=Timestamp(place.start),
            receipt=place.receipt,
        )

    async def correct(self, grant: Grant, *, used_tokens: int) -> None:
        """Change the grant's price to what the call did use."""
        if grant.receipt is None or grant.limits.tokens is None:
            return
        before, after = (gcra.call(grant.limits, tokens).tokens.cost for tokens in (grant.tokens, used_tokens))
        if after != before:
            await self._correct(grant.model, grant.receipt, requests=0, tokens=after - before)

    async def cancel(self, grant: Grant) -> None:
        """Give back the place."""
        if grant.receipt is not None:
            place = Place(grant.granted_at, grant.tokens, grant.receipt)
            await self._cancel(grant.model, place, gcra.call(grant.limits, grant.tokens))

    async def expected_wait(self, model: str, limits: Limits, *, tokens: int) -> float:
        """How many seconds a call would wait now."""
        if limits.unlimited:
            return 0.0
        call = gcra.call(limits, gcra.reservable(limits, tokens))
        books, free, now = await self._look(model, call.weight)
        if books is None:
            return 0.0
        start = gcra.start(books, now, call)
        return ((start if free is None else free) - now) / MILLION

    async def admit(self, model: str, limits: Limits) -> float:
        """Take a place that starts now, or none."""
        return 0.0 if limits.unlimited else await self._admit(model, gcra.call(limits, 0)) / MILLION

    @abstractmethod
    async def aclose(self) -> None:
        """Close what it has open."""

    @abstractmethod
    async def _reserve(self, model: str, call: Call) -> tuple[Place, Timestamp]:
        """Take the earliest place given back that is large enough, else book a grant; and the moment it was asked."""

    @abstractmethod
    async def _admit(self, model: str, call: Call) -> int:
        """Book the grant if it starts at once; else nothing, and the microseconds it would wait."""

    @abstractmethod
    async def _correct(self, model: str, receipt: Receipt, *, requests: int, tokens: int) -> None:
        """Change the costs of a grant, where the books it is in still exist."""

    @abstractmethod
    async def _cancel(self, model: str, place: Place, call: Call) -> None:
        """Undo the last grant; keep another one's place for who comes next; once its moment has come, correct it."""

    @abstractmethod
    async def _look(self, model: str, tokens: int) -> tuple[Books | None, int | None, Timestamp]:
        """The books as they are, when the place starts that such a call would take, and the clock."""
