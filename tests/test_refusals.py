"""A refusal by money names the figures with which the run succeeds: one limit or several, of every kind of scope."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_orchestrator.application.result import OrchestrationResult
from model_orchestrator.domain.errors import RunFailure
from model_orchestrator.domain.units import Usd, plain
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings

STEP = Decimal("0.000000000001")
BUDGETS = (
    ("global", "day"),
    ("category:chat", "month"),
    ("tag:team=a", "week"),
    ("tag:team=a", "total"),
    ("model:gpt-4o-mini", "total"),
    ("model:claude-haiku-3.5", "day"),
    ("model:claude-sonnet-3.5", "month"),
)
PROMPTS = {
    "cheapest": "What is Python?",
    "fallback": "Review this code for bugs: def f(x): return x",
    "ensemble": "What is the best architecture for a chat service?",
}
TINY = "0.00000001"


@asynccontextmanager
async def opened() -> AsyncIterator[Orchestrator]:
    given = Settings.load(env={}, database_url="sqlite:///:memory:")
    async with Orchestrator(given) as orchestrator:
        yield orchestrator


async def ask(orchestrator: Orchestrator, strategy: str = "cheapest", **options: Any) -> OrchestrationResult:
    return await orchestrator.run(
        PROMPTS[strategy], strategy=strategy, provider="simulated", category="chat", tags={"team": "a"}, **options
    )


async def refusal(orchestrator: Orchestrator, strategy: str, **options: Any) -> dict[str, Any]:
    with pytest.raises(RunFailure) as caught:
        await ask(orchestrator, strategy, **options)
    assert caught.value.kind == "budget"
    details = caught.value.details
    assert {"limit", "held", "needed", "would_fit"} <= details.keys()
    return details


async def raised(orchestrator: Orchestrator, details: dict[str, Any], *, less: Decimal = Decimal(0)) -> dict[str, Any]:
    """Every limit as the refusal says; the options that go with it."""
    for budget in details.get("budgets", ()):
        limit = Usd(plain(Decimal(budget["would_fit"]) - less))
        await orchestrator.set_budget(budget["scope"], limit, period=budget["period"])
    return {} if "scope" in details else {"max_cost": plain(Decimal(details["would_fit"]) - less)}


@pytest.mark.parametrize("strategy", PROMPTS)
@pytest.mark.parametrize("budget", BUDGETS[:4])
def test_one_budget_names_the_least_limit_that_fits(strategy: str, budget: tuple[str, str]) -> None:
    """A picodollar less is refused with the same figure; what was spent before is part of it."""

    async def scenario() -> None:
        async with opened() as orchestrator:
            spent = await ask(orchestrator)
            await orchestrator.set_budget(budget[0], Usd(TINY), period=budget[1])
            details = await refusal(orchestrator, strategy)
            assert (details["scope"], details["period"], details["limit"]) == (*budget, TINY)
            assert details["budgets"] == [{name: details[name] for name in details if name != "budgets"}]
            assert Decimal(details["held"]) == spent.cost
            assert Decimal(details["would_fit"]) == Decimal(details["held"]) + Decimal(details["needed"])
            await raised(orchestrator, details, less=STEP)
            assert (await refusal(orchestrator, strategy))["would_fit"] == details["would_fit"]
            await raised(orchestrator, details)
            await ask(orchestrator, strategy)

    asyncio.run(scenario())


def test_every_limit_in_the_way_is_named_at_once() -> None:
    """The run's own first; a budget with room, or of another model, is not."""

    async def scenario() -> None:
        async with opened() as orchestrator:
            for scope, limit in (("global", TINY), ("category:chat", "5"), ("model:gpt-4", TINY), ("tag:team=a", TINY)):
                await orchestrator.set_budget(scope, Usd(limit))
            details = await refusal(orchestrator, "cheapest", max_cost=TINY)
            assert "scope" not in details
            assert (details["limit"], details["held"], details["needed"]) == (TINY, "0", details["would_fit"])
            assert [one["scope"] for one in details["budgets"]] == ["global", "tag:team=a"]
            await ask(orchestrator, **await raised(orchestrator, details))

    asyncio.run(scenario())


def test_a_model_without_a_budget_of_its_own_is_the_way_out() -> None:
    """Fewer limits to raise come before a lower figure."""

    async def scenario() -> None:
        async with opened() as orchestrator:
            await orchestrator.set_budget("global", Usd(TINY))
            await orchestrator.set_budget("model:gpt-4o-mini", Usd(TINY))
            details = await refusal(orchestrator, "cheapest")
            assert [one["scope"] for one in details["budgets"]] == ["global"]
            await raised(orchestrator, details)
            assert (await ask(orchestrator)).model_used != "gpt-4o-mini"

    asyncio.run(scenario())


limits = st.sampled_from([None, TINY, "0.00001", "0.0005", "0.003", "0.02"])


@given(
    strategy=st.sampled_from(sorted(PROMPTS)),
    budgets=st.tuples(*[limits for _ in BUDGETS]),
    max_cost=limits,
    method=st.sampled_from([None, "judge", "fuse"]),
    spend_first=st.booleans(),
)
@settings(max_examples=60)
def test_what_would_fit_fits(
    strategy: str, budgets: tuple[str | None, ...], max_cost: str | None, method: str | None, spend_first: bool
) -> None:
    """Whatever the limits are: the run is answered, or it is answered with the figures of its refusal."""

    async def scenario() -> None:
        async with opened() as orchestrator:
            if spend_first:
                await ask(orchestrator, "fallback")
            for (scope, period), limit in zip(BUDGETS, budgets, strict=True):
                if limit is not None:
                    await orchestrator.set_budget(scope, Usd(limit), period=period)
            options: dict[str, Any] = {"method": method} if strategy == "ensemble" and method else {}
            try:
                await ask(orchestrator, strategy, max_cost=max_cost, **options)
            except RunFailure as failure:
                changed = {"max_cost": max_cost} | await raised(orchestrator, failure.details)
                await ask(orchestrator, strategy, **options | changed)
            rows = await orchestrator.store.balances()
            assert all(row.held == 0 for row in rows)
            assert spend_first or all(row.settled <= (row.limit or 0) for row in rows)

    asyncio.run(scenario())
