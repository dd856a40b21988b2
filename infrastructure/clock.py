"""The system's clocks."""

from __future__ import annotations

import time

from ..domain.units import Duration, Timestamp


class SystemClock:
    """Wall time in UTC and a monotonic one, both in microseconds."""

    def now(self) -> Timestamp:
        """Microseconds since 1970."""
        return Timestamp(time.time_ns() // 1000)

    def monotonic(self) -> Duration:
        """Microseconds since some moment; never runs backwards."""
        return Duration(time.perf_counter_ns() // 1000)
