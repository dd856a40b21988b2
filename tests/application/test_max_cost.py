"""--max-cost is a cap on what a run may be billed, whatever is lost, fails or waits, and in whatever order."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from model_orchestrator.application.ports import Answer, ModelCall
from model_orchestrator.domain.budget import total
from model_orchestrator.domain.errors import ErrorKind, ModelError, ModelUnavailable, OutcomeUnknown
from model_orchestrator.domain.events import RoutingDecided, RunCompleted, StrategySettings
from model_orchestrator.domain.run import Run, fold
from model_orchestrator.domain.units import Usd

from .test_strategies import with_budget
from .world import RUN, Stage, answer

MINI, HAIKU = "gpt-4o-mini", "claude-haiku-3.5"
SCORE = '{"reason": "It is right.", "score": 95}'


def worst(run: Run) -> Decimal:
    """The most the run's attempts can have been billed: what is not known counts at its worst price."""
    return total(one.started.max_cost if one.spent is None else one.spent for one in run.attempts)


def most_of(strategy: str, **settings: Any) -> dict[str, Usd]:
    """The worst price of each call of a plan without a limit; judges are named `judge`."""
    stage = Stage()
    stage.run(strategy=strategy, settings=StrategySettings(**settings))
    plan = next(event for event in stage.events() if isinstance(event, RoutingDecided)).plan
    return {call.model if call.scores is None else "judge": call.max_cost or Usd(0) for call in plan}


@pytest.mark.parametrize("share", ["0.0", "0.5", "0.9", "1.0"])
def test_two_members_lost_at_once_are_retried_only_as_far_as_the_limit_goes(share: str) -> None:
    """Each retry fits what is left by itself; both together may not."""
    calls = 0

    async def reply(call: ModelCall) -> Answer:
        nonlocal calls
        calls += 1
        if calls <= 2:
            raise OutcomeUnknown(ErrorKind.CUT)
        return answer(usage=None, raw_usage=None)  # costs the most it can

    members = (MINI, HAIKU)
    prices = most_of("ensemble", members=members)
    limit = Usd(prices[MINI] + prices[HAIKU] * 2 + prices[MINI] * Decimal(share))
    stage = Stage(reply)
    stage.run(strategy="ensemble", settings=StrategySettings(members=members), max_cost=limit)
    run = fold(RUN, stage.events())
    assert run.ended
    assert worst(run) <= limit


@pytest.mark.parametrize("strategy", ["fallback", "ensemble"])
@pytest.mark.parametrize("share", ["0.1", "0.5", "0.9", "1.0"])
def test_a_member_that_waits_for_its_retry_keeps_its_share_from_the_others_judge(strategy: str, share: str) -> None:
    """The failure cost nothing, but the call will be made again: what it may cost is not the judge's to take."""
    failed = False

    async def reply(call: ModelCall) -> Answer:
        nonlocal failed
        judging = call.request.parameters.response_format is not None or "BEGIN ANSWER" in call.request.prompt
        if call.model.name == HAIKU and not failed and not judging:
            failed = True
            raise ModelUnavailable(ErrorKind.OVERLOADED, status=529)
        await asyncio.sleep(0)
        return answer(SCORE if judging else "The answer is 4.", usage=None, raw_usage=None)

    settings: dict[str, Any] = {"judge": "gpt-4o", "chain": (MINI, HAIKU), "verify_agreement": True}
    if strategy == "ensemble":
        settings = {"judge": "gpt-4o", "members": (MINI, HAIKU)}
    prices = most_of(strategy, **settings)
    limit = Usd(prices[MINI] + prices[HAIKU] + prices["judge"] * Decimal(share))
    stage = Stage(reply)
    finished = stage.run(strategy=strategy, settings=StrategySettings(**settings), max_cost=limit)
    assert isinstance(finished.run.ended, RunCompleted)
    assert worst(finished.run) <= limit


def test_a_refused_retry_does_not_leave_the_other_call_recorded_and_unsent() -> None:
    """One member failed unbilled and the other was lost: both are due again, and the budget has room for the first."""
    said: dict[str, list[ModelError]] = {
        MINI: [OutcomeUnknown(ErrorKind.CUT)],
        HAIKU: [ModelUnavailable(ErrorKind.OVERLOADED, status=529)],
    }

    async def reply(call: ModelCall) -> Answer:
        if errors := said[call.model.name]:
            raise errors.pop()
        return answer("The answer is 4.")

    members = (HAIKU, MINI)  # the retry of the first holds nothing of its own
    prices = most_of("ensemble", members=members)
    stage = with_budget(Stage(reply), f"{prices[MINI] + prices[HAIKU]:f}")
    finished = stage.run(strategy="ensemble", settings=StrategySettings(members=members))
    assert isinstance(finished.run.ended, RunCompleted)
    assert [call.model.name for call in stage.client.calls] == [HAIKU, MINI, HAIKU]
