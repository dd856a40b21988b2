"""Whoever waits for a run may go: what is under way is still read to its end and costed, and nothing new starts."""

from __future__ import annotations

from collections.abc import Callable


class Departure:
    """Tells a run that nobody waits for it any more. To be used in the run's own event loop."""

    def __init__(self) -> None:
        self.by: str | None = None  # who is gone, such as client
        self.is_resumable = False  # when cancelled, the run is left to be resumed, and not ended
        self._then: Callable[[], None] = lambda: None

    @property
    def is_known(self) -> bool:
        """Whether somebody left."""
        return self.by is not None

    def leave(self, by: str = "client") -> None:
        """From now on the run starts no call."""
        if self.by is None:
            self.by = by
            self._then()

    def tell(self, then: Callable[[], None]) -> None:
        """Call `then` once somebody leaves."""
        self._then = then
        if self.is_known:
            then()
