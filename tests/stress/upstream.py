"""The provider's own books: every call that it billed, by the request id that the caller was told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from model_orchestrator.domain.budget import concerns, total
from model_orchestrator.domain.pricing import Usage, cost
from model_orchestrator.domain.seed_catalogue import SEED
from model_orchestrator.domain.units import Usd
from model_orchestrator.infrastructure.simulate.faults import Fault

RARE = {Fault.AUTH: 0.02}  # of the other faults' share: a refused key keeps everybody from its provider for a while
MODELS = {model.api_id: model for model in SEED.models}


@dataclass(slots=True)
class Ledger:
    """What `SimulatorOptions.watch` was told."""

    bills: dict[str, Usd] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)  # our names
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self, request_id: str, model: str, usage: Usage) -> None:
        """A call was billed."""
        known = MODELS[model]
        card = known.price
        assert card is not None, "the seed's models have prices"
        with self._lock:
            assert request_id not in self.bills, "each call has an id of its own"
            self.bills[request_id], self.models[request_id] = cost(usage, card), known.name

    def total(self, scope: str) -> Usd:
        """USD billed for the models that a budget's scope concerns."""
        with self._lock:
            return total(bill for one, bill in self.bills.items() if concerns(scope, self.models[one]))


def rates(share: float) -> dict[Fault, float]:
    """Every fault there is, together that share of calls."""
    weights = {fault: RARE.get(fault, 1.0) for fault in Fault}
    return {fault: share * weight / sum(weights.values()) for fault, weight in weights.items()}
