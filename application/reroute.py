"""What another policy would have decided, from the same recorded inputs: nothing is sent, nothing is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..domain.budget import total
from ..domain.events import Money, PlannedCall, RoutingDecided
from ..domain.forecast import SuccessModel
from ..domain.policy import Policy
from ..domain.request import Request
from ..domain.routing import decide, reads_forecast
from ..domain.run import Run
from ..domain.units import Usd, plain
from .decisions import with_forecast
from .recorded_world import Basis, routing_inputs
from .world import money_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerouted:
    """A routing decision as it was, and as the other policy has it."""

    run: str
    money: Money
    before: RoutingDecided
    after: RoutingDecided

    @property
    def is_changed(self) -> bool:
        """Whether other calls would have been planned, or they would have been held to another measure."""
        return any(getattr(self.before, one) != getattr(self.after, one) for one in _WHAT_COUNTS)


_WHAT_COUNTS = ("strategy", "plan", "threshold", "method")


def rerouted(
    run: Run, basis: Basis, policy: Policy, request: Request | None, router: SuccessModel | None = None
) -> Rerouted | str:
    """The decision under another policy, `router` being its weights; or why it cannot be taken."""
    if run.started is None or run.assessment is None or run.routing is None:
        return "it was not routed"
    inputs = routing_inputs(run, run.routing, basis, request)
    if inputs is None:
        return "no call was planned, and the request's text is gone"
    inputs = replace(inputs, policy=policy, forecast=None, draw=None)  # another policy's own, and without a draw
    if request is None and reads_forecast(inputs):
        return "the policy reads the request, and its text is gone"
    after = decide(with_forecast(inputs, router))
    return Rerouted(run=run.id, money=money_of(run.started.provider), before=run.routing, after=after)


def expected_cost(routing: RoutingDecided) -> Usd | None:
    """USD that the calls made in any case are expected to cost; None without a plan or a price."""
    calls = _made_in_any_case(routing)
    if not calls or any(call.expected_cost is None for call in calls):
        return None
    return total(call.expected_cost for call in calls)


def _made_in_any_case(routing: RoutingDecided) -> Sequence[PlannedCall]:
    return routing.plan[:2] if routing.strategy == "ensemble" else routing.plan[:1]


@dataclass(slots=True)
class RerouteTotals:
    """Of several runs; sums are of those whose expected cost is known on both sides, by kind of money."""

    changed: int = 0
    same: int = 0
    why_not: Counter[str] = field(default_factory=Counter)
    unpriced: int = 0
    sums: dict[Money, tuple[Usd, Usd]] = field(default_factory=dict)

    def add(self, done: Rerouted | str) -> None:
        """Count a run."""
        if isinstance(done, str):
            self.why_not[done] += 1
            return
        self.changed += done.is_changed
        self.same += not done.is_changed
        before, after = expected_cost(done.before), expected_cost(done.after)
        if before is None or after is None:
            self.unpriced += 1
            return
        known = self.sums.get(done.money, (Usd(0), Usd(0)))
        self.sums[done.money] = total((known[0], before)), total((known[1], after))

    @property
    def runs(self) -> int:
        """How many."""
        return self.changed + self.same + self.why_not.total()

    def to_dict(self) -> dict[str, Any]:
        """For JSON; USD as decimal strings."""
        return {
            "runs": self.runs,
            "changed": self.changed,
            "same": self.same,
            "not_decided": self.why_not.total(),
            "why_not": dict(self.why_not.most_common()),
            "without_a_price": self.unpriced,
            "expected_cost": {
                money.value: {"before": plain(before), "after": plain(after)}
                for money, (before, after) in sorted(self.sums.items())
            },
        }


def routing_dict(routing: RoutingDecided) -> dict[str, Any]:
    """A decision for JSON: what would be asked, and what its first calls are expected to cost in USD."""
    cost = expected_cost(routing)
    return {
        "strategy": routing.strategy,
        "reason": routing.reason,
        "models": [call.model for call in routing.plan],
        "threshold": routing.threshold,
        "policy": routing.policy,
        "expected_cost": None if cost is None else plain(cost),
    }
