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
    """The actions without the calls that what is left of the limit cannot pay together with the others: they wait.

    The plan's own calls come first, then those made again, then the judges: each fits alone, so the first never waits.
    """
    left = left_of_limit(run)
    if left is None:
        return actions
    waiting: set[int] = set()
    calls = [one for one in actions if isinstance(one, CallModel)]
    for number, one in enumerate(sorted(calls, key=lambda one: _urgency(run, one))):
        cost = one.call.max_cost or Usd(0)
        if number and _urgency(run, one) and cost > left:
            waiting.add(one.index)
        else:
            left = less(left, cost)
    return tuple(one for one in actions if not (isinstance(one, CallModel) and one.index in waiting))


def _urgency(run: Run, action: CallModel) -> int:
    """0 for a call of the plan, 1 for one that is made again, 2 for a judge."""
    return 2 if action.call.scores is not None else int(bool(run.of_call(action.index)))
