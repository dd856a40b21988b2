"""The times that pages can be about: whole UTC days up to now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ....domain.errors import InvalidRequest
from ....domain.events import Money
from ....domain.time_ranges import TimeRange
from ....domain.units import Timestamp
from ....projections.cost_report import CostRow
from ....projections.grains import BEGINNING, END
from ....projections.model_report import ModelStats
from ....projections.projection import DAY, month_of

SPANS = {  # name: (what is shown, days; None: since ever)
    "today": ("Today", 1),
    "7d": ("7 days", 7),
    "30d": ("30 days", 30),
    "90d": ("90 days", 90),
    "12m": ("12 months", 365),
    "all": ("All time", None),
}
TIMES = [(name, shown) for name, (shown, _) in SPANS.items()]
RECENT = TIMES[:3]  # latencies are kept by day: more of them cannot be read while somebody waits


@dataclass(frozen=True, slots=True)
class Span:
    """A time by its name; `range` as read models want it, microseconds."""

    name: str
    start: int
    end: int = END

    @classmethod
    def of(cls, name: str, now: int) -> Span:
        """Raises InvalidRequest for a name that there is not."""
        if name not in SPANS:
            raise InvalidRequest(f"time {name!r} is not possible: expected {', '.join(SPANS)}")
        days = SPANS[name][1]
        return cls(name, BEGINNING if days is None else today(now) - (days - 1) * DAY)

    @classmethod
    def recent(cls, name: str, now: int) -> Span:
        """One of the shorter times. Raises InvalidRequest."""
        if name not in dict(RECENT):
            raise InvalidRequest(f"time {name!r} is not possible here: expected {', '.join(dict(RECENT))}")
        return cls.of(name, now)

    @property
    def split(self) -> str:
        """The periods of its pictures."""
        days = SPANS[self.name][1]
        return "monthly" if days is None else "daily" if days <= 31 else "weekly"

    @property
    def range(self) -> tuple[int, int]:
        """[since, until)."""
        return self.start, self.end

    @property
    def dates(self) -> TimeRange:
        """The same for reports: open where it has no beginning."""
        return TimeRange(None if self.start == BEGINNING else Timestamp(self.start), None)

    @property
    def said(self) -> str:
        """For people."""
        return SPANS[self.name][0]


def today(now: int) -> int:
    """The first microsecond of the UTC day."""
    return now - now % DAY


def this_month(now: int) -> int:
    """That of the UTC month."""
    return month_of(now)


def shown_money(rows: Sequence[CostRow] | Sequence[ModelStats], asked: str) -> tuple[Money, list[Money]]:
    """The kind of money that a page shows, which is one of those that were spent, and all of these."""
    found = [one for one in Money if any(row.money == one.value for row in rows)]
    if asked and asked not in set(Money):
        raise InvalidRequest(f"money {asked!r} is not possible: expected {', '.join(Money)}")
    chosen = Money(asked) if asked else found[0] if found else Money.REAL
    return chosen, [one for one in Money if one in found or one is chosen]
