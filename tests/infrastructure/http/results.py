"""Results as an orchestrator gives them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from model_orchestrator import OrchestrationResult

USAGE = {"input_tokens": 3, "output_tokens": 4, "cache_read": 0, "cache_write": 0, "reasoning": 0}


def result(
    *, response: str = "hello there", cost: Decimal | None = Decimal("0.000001"), **metadata: Any
) -> OrchestrationResult:
    """An answered run with that metadata."""
    return OrchestrationResult(
        response=response,
        model_used="m",
        cost=cost,
        latency=0.1,
        confidence=0.9,
        input_tokens=3,
        output_tokens=4,
        strategy="cheapest",
        fallback_chain=["m"],
        ensemble_models=[],
        metadata={"money": "simulated", "warnings": [], "finish_reason": "stop", "usage": USAGE, **metadata},
        timestamp="2026-11-24T10:00:00+00:00",
        run_id="run-1",
    )


PLAIN = result()
