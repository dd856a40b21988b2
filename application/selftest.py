"""The seed's self test: each part that exists is tried on known answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..domain.complexity import ComplexityAnalyzer
from ..domain.confidence import ConfidenceDetector
from ..domain.pricing import PriceCard, Usage, cost
from ..domain.units import Usd, plain
from .result import OrchestrationResult

Ask = Callable[[str], Awaitable[OrchestrationResult]]

PROMPTS = {  # what each needs
    "What is Python?": "basic",
    "Review this function for bugs: def add(a, b): return a - b": "intermediate",
    "Design a distributed system": "expert",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing tried: what, whether it held, and what was seen."""

    name: str
    passed: bool
    seen: str


async def selftest(ask: Ask, problems: Callable[[], Awaitable[list[str]]]) -> list[Check]:
    """All checks. `ask` runs a prompt on the simulated provider; `problems` verifies the log it wrote."""
    return [_complexity(), _confidence(), _pricing(), await _run(ask), await _log(problems)]


def _complexity() -> Check:
    seen = {prompt: ComplexityAnalyzer().score_complexity(prompt)[0].value for prompt in PROMPTS}
    return Check("complexity scoring", seen == PROMPTS, ", ".join(seen.values()))


def _confidence() -> Check:
    detect = ConfidenceDetector().detect_confidence
    sure, unsure = detect("The capital of France is Paris."), detect("I'm not sure, but it might possibly be Paris?")
    return Check("confidence detection", sure > unsure, f"{sure:.2f} for a plain answer, {unsure:.2f} for a hedged one")


def _pricing() -> Check:
    card = PriceCard(id="selftest", input=Usd("0.15"), output=Usd("0.60"))
    amount = plain(cost(Usage(input_uncached=2, output=40), card))
    return Check("exact pricing", amount == "0.0000243", f"${amount} for 2 tokens in and 40 out of gpt-4o-mini")


async def _run(ask: Ask) -> Check:
    result = await ask("What is Python?")
    right = result.model_used == "gpt-4o-mini" and result.metadata["simulated"] and result.cost is not None
    return Check("model routing", right, f"{result.model_used} answered a simple question (simulated)")


async def _log(problems: Callable[[], Awaitable[list[str]]]) -> Check:
    found = await problems()
    return Check("event log", not found, "; ".join(found) or "every hash and position holds")
