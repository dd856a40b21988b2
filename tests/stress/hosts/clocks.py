"""The hosts' clocks: namespaces share the machine's, so libfaketime shows each process another one.

All clocks are moved so that a day ends in the middle of the load; one host's is wrong on top of that. Only the wall
clock is moved: timers and time-outs go by the monotonic one.
"""

from __future__ import annotations

import glob
import time
from dataclasses import dataclass

DAY = 86_400
SKEW = 300.0  # seconds that the wrong clock is ahead
LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock that most hosts show: the machine's, moved by so many seconds."""

    ahead: float

    @classmethod
    def with_midnight_in(cls, seconds: float) -> Clock:
        """One on which the day (UTC) ends so many seconds from now."""
        return cls(round(DAY - time.time() % DAY - seconds) % DAY)

    def environment(self, skew: float = 0.0) -> dict[str, str]:
        """Of a process that is to see it. Raises FileNotFoundError where libfaketime is not installed."""
        found = glob.glob(LIBRARY)
        if not found:
            raise FileNotFoundError(f"{LIBRARY} is missing: install the package libfaketime")
        return {
            "LD_PRELOAD": found[0],
            "FAKETIME": f"{self.ahead + skew:+.0f}s",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def now(self) -> float:
        """Seconds since 1970, as most hosts have it."""
        return time.time() + self.ahead
