"""When a failed call may be tried again, and after how long: exponential back-off with full jitter.

Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ (2015): a delay drawn evenly between 0
and a bound that doubles spreads callers that failed together better than one drawn near the bound.
"""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ErrorKind
from .units import Duration

# The same call can get another answer a moment later. Whether a lost one *may* be made again is the money's business.
PASSING = frozenset(
    {
        ErrorKind.RATE_LIMITED,
        ErrorKind.OVERLOADED,
        ErrorKind.TIME_OUT,
        ErrorKind.CONNECTION,
        ErrorKind.CUT,
        ErrorKind.SERVER,
        ErrorKind.MALFORMED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently; microseconds."""

    retries: int = 2  # beside the first attempt
    first: Duration = Duration(500_000)  # the bound of the first delay; it doubles
    longest: Duration = Duration(30_000_000)  # the bound of any delay, where no Retry-After asks for more


POLICY = RetryPolicy()


def can_succeed_again(kind: ErrorKind) -> bool:
    """Whether the same call, made again, may be answered."""
    return kind in PASSING


def retry_delay(
    kind: ErrorKind,
    *,
    retry: int,
    draw: float,
    retry_after: Duration | None = None,
    left: Duration | None = None,
    policy: RetryPolicy = POLICY,
) -> Duration | None:
    """How long to wait before the `retry`-th retry, from 1; None: do not retry.

    `draw` is a random number 0..1; `retry_after` is what the provider asked for: never less, and a little more, so that
    those who were told the same moment do not all come at it; `left` is the time to the deadline, which the next
    attempt must start before.
    """
    if kind not in PASSING or not 1 <= retry <= policy.retries:
        return None
    bound = min(policy.longest, policy.first << min(retry - 1, 30))
    delay = round(draw * bound)
    if retry_after is not None:
        delay = max(delay, retry_after + round(draw * policy.first))
    if left is not None and delay >= left:
        return None
    return Duration(delay)
