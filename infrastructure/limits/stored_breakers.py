"""What every store of breakers does beside keeping the rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ...domain import breaker
from ...domain.breaker import RULES, Breaker, BreakerRules, BreakerState
from ...domain.errors import ErrorKind
from ...domain.units import Timestamp
from ..store.gathering import SharedReads

Step = Callable[[Breaker, Timestamp], tuple[Breaker, BreakerState]]


class StoredBreakers(ABC):
    """The Breakers port on top of rows kept somewhere; a name without a row is closed."""

    def __init__(self, rules: BreakerRules = RULES) -> None:
        self._rules = rules
        self._shared = SharedReads()

    async def states(self, names: Sequence[str]) -> dict[str, BreakerState]:
        """What each says now; claims nothing."""
        if not names:
            return {}
        names = tuple(names)
        kept, now = await self._shared.read(names, lambda: self._read(names))
        return {name: breaker.state(kept.get(name, Breaker()), now, self._rules) for name in names}

    async def may_call(self, name: str) -> BreakerState:
        """Ask to call; claims the probe where one is due."""
        return await self._change(name, self._claimed)

    async def record(self, name: str, kind: ErrorKind | None) -> None:
        """A call's outcome."""
        await self._change(name, partial(self._recorded, kind))

    def _claimed(self, kept: Breaker, now: Timestamp) -> tuple[Breaker, BreakerState]:
        return breaker.claim(kept, now, self._rules)

    def _recorded(self, kind: ErrorKind | None, kept: Breaker, now: Timestamp) -> tuple[Breaker, BreakerState]:
        changed = breaker.after(kept, kind, now, self._rules)
        return changed, breaker.state(changed, now, self._rules)

    @abstractmethod
    async def aclose(self) -> None:
        """Close what it has open."""

    @abstractmethod
    async def _read(self, names: Sequence[str]) -> tuple[Mapping[str, Breaker], Timestamp]:
        """The rows that exist, and the clock."""

    @abstractmethod
    async def _change(self, name: str, step: Step) -> BreakerState:
        """Replace a row by what `step` makes of it, alone among all processes; where nothing changes, write nothing."""
