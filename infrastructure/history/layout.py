"""How the files of a history are called: KIND/day=2026-11-27/FIRST-LAST.parquet, by the positions they were made from.

history.json                                  what this folder is, and of which log
events/day=2026-11-27/…1-…84211.parquet       the events at these positions; written last: then they are exported
runs/day=2026-11-27/…1-…84211.parquet         runs that began at these positions, on that day
runs/day=2026-11-02/…1-…84211-late.parquet    runs of an earlier file that changed at these positions
catalogues/HASH.json                          models and prices that runs were asked under
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from ...projections.projection import DAY

MARK = "history.json"
LOCK = ".export.lock"
CATALOGUES = "catalogues"
UNFINISHED = ".unfinished"  # the end of a name under which a file is written; no reader takes it for Parquet
_WIDTH = 19  # digits of any 64-bit position, so that names sort as positions do
_FORM = re.compile(
    r"(?P<kind>events|runs|attempts|escalations)/day=(?P<day>\d{4}-\d\d-\d\d)/"
    r"(?P<first>\d{19})-(?P<last>\d{19})(?P<late>-late)?\.parquet"
)


@dataclass(frozen=True, slots=True, order=True)
class FileName:
    """One file, relative to its folder."""

    first: int  # position
    last: int
    kind: str
    day: str
    is_late: bool = False

    def __str__(self) -> str:
        late = "-late" if self.is_late else ""
        return f"{self.kind}/day={self.day}/{self.first:0{_WIDTH}}-{self.last:0{_WIDTH}}{late}.parquet"

    @classmethod
    def of(cls, text: str) -> FileName | None:
        """None for a name that no export gives."""
        found = _FORM.fullmatch(text)
        if found is None:
            return None
        return cls(int(found["first"]), int(found["last"]), found["kind"], found["day"], found["late"] is not None)


def day_of(at: int) -> str:
    """The UTC day of a moment in microseconds."""
    return _day(at // DAY)


@lru_cache(maxsize=10_000)
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).date().isoformat()
