"""The strategies: pure functions from a run to what it owes now."""

from __future__ import annotations

from collections.abc import Callable

from ..actions import Action
from ..run import Run
from . import cheapest, ensemble, fallback
from .progress import opening

PLANNED: dict[str, Callable[[Run], tuple[Action, ...]]] = {
    "cheapest": cheapest.due,
    "fallback": fallback.due,
    "ensemble": ensemble.due,
}
STRATEGIES = (*PLANNED, "auto")  # auto: the routing decision names one of the others


def due(run: Run) -> tuple[Action, ...]:
    """What `run` owes now under its strategy. Raises KeyError for one this release lacks."""
    if run.routing is None:
        return opening(run) or ()
    return PLANNED[run.routing.strategy](run)
