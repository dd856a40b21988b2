"""What keeps calls within what a provider takes: rate limits, and breakers. Both hold across processes.

Their state is disposable: deleting it loses nothing. At worst a model gets a call more than its limit for a window, and
those that were waiting, and one that is down is asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..domain.breaker import BreakerState
from ..domain.errors import ErrorKind
from ..domain.units import Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a model takes in any `window` seconds; None: no limit. Those who share a model must agree on them."""

    requests: int | None = None
    tokens: int | None = None
    window: float = 60.0

    def __post_init__(self) -> None:
        if self.window <= 0 or any(limit is not None and limit < 1 for limit in (self.requests, self.tokens)):
            raise ValueError(f"{self}: a limit is 1 or more, a window is above 0 seconds")

    @property
    def unlimited(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.requests is None and self.tokens is None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a grant stands in its limiter's books, for `correct` and `cancel`; of no meaning to others."""

    life: int  # of the books, which may be deleted
    requests: int  # what they had taken in all, with this grant
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A place in the queue: the call may start `wait` seconds after it was given, at `granted_at`."""

    model: str
    limits: Limits
    tokens: int  # that count: at most the limit, so that a larger call goes too, alone; 0 where they are not limited
    wait: float  # seconds, 0 or more
    granted_at: Timestamp  # of the limiter's clock
    receipt: Receipt | None  # None where nothing is limited


class RateLimiter(Protocol):
    """Requests and tokens a window, a model. No window holds more than the limit, counted at the grants' moments."""

    async def reserve(self, model: str, limits: Limits, *, tokens: int) -> Grant:
        """Take the next place in the queue, in order of arrival; `tokens` is what the call will use, estimated.

        The caller sleeps `wait` seconds and calls, or gives the place back with `cancel`.
        """

    async def correct(self, grant: Grant, *, used_tokens: int) -> None:
        """What the call did use, once: less is given back to those who come next, more is taken from them."""

    async def cancel(self, grant: Grant) -> None:
        """The call will not be made: give back the place, once. It goes to whoever comes next."""

    async def expected_wait(self, model: str, limits: Limits, *, tokens: int) -> float:
        """How many seconds a call would wait if it came now; reserves nothing."""

    async def admit(self, model: str, limits: Limits) -> float:
        """Take a place for one request if it starts now: 0. Else take none: the seconds after which one may be free.

        For who refuses rather than waits. It is one step among all who share the books, so a refusal costs nobody else.
        """

    async def aclose(self) -> None:
        """Close what it has open."""


class Breakers(Protocol):
    """A breaker a name; see domain/breaker.py for when it opens and closes."""

    async def states(self, names: Sequence[str]) -> dict[str, BreakerState]:
        """What each says now; claims nothing."""

    async def may_call(self, name: str) -> BreakerState:
        """Ask right before a call. HALF_OPEN: this caller alone may probe, and must record an outcome.

        A probe that will not be made is given back by recording CANCELLED.
        """

    async def record(self, name: str, kind: ErrorKind | None) -> None:
        """A call's outcome: how it failed, or None for an answer."""

    async def aclose(self) -> None:
        """Close what it has open."""


def model_breaker(model: str) -> str:
    """The name of a model's breaker: it hears every outcome but a refused key."""
    return f"model:{model}"


def provider_breaker(provider: str, account: str = "") -> str:
    """The name of a provider's breaker: it hears of refused keys, and of answers.

    `account` tells keys and addresses apart, so that a corrected key does not wait for the wrong one's breaker.
    """
    return f"provider:{provider}:{account}" if account else f"provider:{provider}"
