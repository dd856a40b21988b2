"""The strategies: pure functions from a run to what it owes now."""

from __future__ import annotations

from collections.abc import Callable

from ..actions import Action
from ..run import Run
from . import cheapest

STRATEGIES: dict[str, Callable[[Run], tuple[Action, ...]]] = {"cheapest": cheapest.due}


def due(run: Run) -> tuple[Action, ...]:
    """What `run` owes now under the strategy it was started with. Raises KeyError for one this release lacks."""
    return STRATEGIES[run.started.strategy](run) if run.started else ()
