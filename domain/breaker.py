"""A breaker: keeps calls from a model or a provider that fails, and lets one through now and then to see.

closed     calls go. Some failures in a row, each soon after the one before, open it; a refused key opens it at once.
open       no call goes until its time is up. Each opening without a success between lasts twice as long.
half open  one call may go, to probe. Whoever claims the probe has it until it answers, or the claim runs out.

An answer closes it, from anywhere. What says nothing about health (a rate limit, a bad request, a cancellation) changes
nothing but gives a claimed probe back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from .errors import ErrorKind
from .units import Duration, Timestamp

# The failures that speak about the health of who was asked. A refused key does too, in its own way: see `after`.
UNHEALTHY = frozenset(
    {
        ErrorKind.OVERLOADED,
        ErrorKind.SERVER,
        ErrorKind.TIME_OUT,
        ErrorKind.CONNECTION,
        ErrorKind.CUT,
        ErrorKind.MALFORMED,
    }
)
NEVER = Timestamp(0)


class BreakerStatus(StrEnum):
    """What a breaker says to a caller."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a breaker opens, and for how long; microseconds."""

    failures: int = 5  # in a row
    within: Duration = Duration(60_000_000)  # of the failure before; a later one starts a new row
    first_open: Duration = Duration(15_000_000)  # the first opening; each next one takes twice as long
    longest_open: Duration = Duration(300_000_000)
    probe: Duration = Duration(60_000_000)  # after which a probe without an outcome counts as abandoned


RULES = BreakerRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What is kept of a breaker; `Breaker()` is closed and has seen no failure."""

    failures: int = 0  # in a row
    failed_at: Timestamp = NEVER  # the last of them
    opened: int = 0  # how often in a row without a success between; 0: closed
    open_until: Timestamp = NEVER
    probe_until: Timestamp = NEVER  # somebody probes until then


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerState:
    """A breaker as a caller sees it: may it call, and if not, from when on may one probe."""

    status: BreakerStatus = BreakerStatus.CLOSED
    failures: int = 0  # in a row
    retry_at: Timestamp | None = None  # where it is open

    @property
    def allows(self) -> bool:
        """Whether a call may go; half open, one."""
        return self.status is not BreakerStatus.OPEN


def after(breaker: Breaker, outcome: ErrorKind | None, now: Timestamp, rules: BreakerRules = RULES) -> Breaker:
    """The breaker after a call's outcome; None: it answered."""
    if outcome is None:
        return Breaker()
    if outcome not in UNHEALTHY and outcome is not ErrorKind.AUTH:
        return replace(breaker, probe_until=NEVER)
    if breaker.opened:
        # A call from before the opening says nothing new.
        return breaker if _waits(breaker, now, rules) else _opened(breaker, now, rules)
    in_a_row = breaker.failures + 1 if 0 <= now - breaker.failed_at <= rules.within else 1
    failed = replace(breaker, failures=in_a_row, failed_at=now)
    if outcome is ErrorKind.AUTH or in_a_row >= rules.failures:
        return _opened(failed, now, rules)
    return failed


def state(breaker: Breaker, now: Timestamp, rules: BreakerRules = RULES) -> BreakerState:
    """What the breaker says now; HALF_OPEN: a probe is due and nobody has it."""
    if not breaker.opened:
        return BreakerState(failures=breaker.failures)
    if _waits(breaker, now, rules):
        return BreakerState(status=BreakerStatus.OPEN, failures=breaker.failures, retry_at=breaker.open_until)
    if _lies_ahead(breaker.probe_until, now, rules.probe):
        return BreakerState(status=BreakerStatus.OPEN, failures=breaker.failures, retry_at=breaker.probe_until)
    return BreakerState(status=BreakerStatus.HALF_OPEN, failures=breaker.failures)


def claim(breaker: Breaker, now: Timestamp, rules: BreakerRules = RULES) -> tuple[Breaker, BreakerState]:
    """Ask to call. HALF_OPEN: the probe is the asker's, and the others see it OPEN until its outcome is recorded."""
    said = state(breaker, now, rules)
    if said.status is BreakerStatus.HALF_OPEN:
        return replace(breaker, probe_until=Timestamp(now + rules.probe)), said
    return breaker, said


def _opened(breaker: Breaker, now: Timestamp, rules: BreakerRules) -> Breaker:
    """Open, for longer than the last time."""
    again = replace(breaker, opened=breaker.opened + 1, probe_until=NEVER)
    return replace(again, open_until=Timestamp(now + _time_open(again, rules)))


def _waits(breaker: Breaker, now: Timestamp, rules: BreakerRules) -> bool:
    return _lies_ahead(breaker.open_until, now, _time_open(breaker, rules))


def _time_open(breaker: Breaker, rules: BreakerRules) -> int:
    return min(rules.longest_open, rules.first_open << min(breaker.opened - 1, 30))


def _lies_ahead(moment: Timestamp, now: Timestamp, longest: int) -> bool:
    """Whether it is still to come. One further off than can be is from before the clock was set back, and over."""
    return 0 < moment - now <= longest
