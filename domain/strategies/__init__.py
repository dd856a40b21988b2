"""The strategies: pure functions from a run to what it owes now."""

from __future__ import annotations

from collections.abc import Callable

from ..actions import Action, CallModel
from ..budget import left_of_limit, less
from ..run import Run
from ..units import Usd
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
    return _payable(run, PLANNED[run.routing.strategy](run))


def _payable(run: Run, actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """The actions without the judges that what is left cannot pay together with the calls before them: they wait."""
    left = left_of_limit(run)
    if left is None:
        return actions
    kept: list[Action] = []
    for action in actions:
        cost = action.call.max_cost if isinstance(action, CallModel) else None
        judge = isinstance(action, CallModel) and action.call.scores is not None
        if judge and kept and cost is not None and cost > left:
            continue
        left = less(left, cost or Usd(0))
        kept.append(action)
    return tuple(kept)
