"""The hosts' clocks: namespaces share the machine's, so a preloaded library shows each process another one.

All clocks are moved so that a day ends in the middle of the load; one host's is wrong on top of that.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

DAY = 86_400
SKEW = 300  # seconds that the wrong clock is ahead
SOURCE = Path(__file__).with_name("clock_shim.c")


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock that most hosts show: the machine's, moved by so many seconds."""

    ahead: int
    library: Path

    @classmethod
    def with_midnight_in(cls, seconds: float, folder: Path) -> Clock:
        """One on which the day (UTC) ends so many seconds from now; its library is built in the folder."""
        library = folder / "clock_shim.so"
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", library, SOURCE], check=True
        )
        return cls(round(DAY - time.time() % DAY - seconds) % DAY, library)

    def words(self, skew: int = 0) -> list[str]:
        """What comes right before a command that is to see it."""
        if not self.ahead + skew:
            return []
        return ["env", f"LD_PRELOAD={self.library}", f"CLOCK_AHEAD={self.ahead + skew}"]
