"""The level of events that a store's database stands at, as this process knows it; see event_levels.py."""

from __future__ import annotations

import time

from ..event_levels import newest

KEY = "event_level"  # of the table `meta`; without a row the database stands at the first level
FILE_LEVEL = f"SELECT value FROM meta WHERE key = '{KEY}'"  # of a SQLite file
LOOK = 2.0  # seconds after which a process that could write more looks again


class KnownLevel:
    """It only rises, so a process that writes all it can never looks again."""

    def __init__(self) -> None:
        self.level = 1
        self._fresh_until = 0.0

    @property
    def is_stale(self) -> bool:
        """Whether to look."""
        return self.level < newest() and time.monotonic() >= self._fresh_until

    def found(self, level: int) -> None:
        """What the database stands at."""
        self.level = min(level, newest())
        self._fresh_until = time.monotonic() + LOOK


def level_of(value: bytes | None) -> int:
    """The level of a row of `meta`."""
    return 1 if value is None else int(value)
