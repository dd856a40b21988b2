"""Policies over recorded answers decide as live runs do, and know nothing that the set does not hold."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from model_orchestrator.application.backtest_dataset import (
    DatasetPlayer,
    oracle,
)
from model_orchestrator.application.backtest_tally import Played
from model_orchestrator.application.orchestrator import RunLoop
from model_orchestrator.application.ports import Answer, ModelCall
from model_orchestrator.domain.dataset import Example, Outcome
from model_orchestrator.domain.dataset_summary import summarized
from model_orchestrator.domain.events import Method, StrategySettings
from model_orchestrator.domain.units import Usd, picodollars, probability
from model_orchestrator.infrastructure.recorded import recorded_catalogue, recorded_policy
from tests.weights import router

from .world import Stage, answer

UNSURE = "I'm not sure, I don't know, but it might possibly be 4?"
MODELS = ("small", "middle", "large")
COSTS = {"small": "0.0001", "middle": "0.001", "large": "0.01"}


def example(number: int, texts: dict[str, str | None], right: str = "4", **changes: Any) -> Example:
    outcomes = {
        name: Outcome(
            score=float(text is not None and right in text and "unlikely" not in text),
            text=text,
            cost=Usd(Decimal(COSTS[name])),
        )
        for name, text in texts.items()
    }
    fields: dict[str, Any] = {
        "id": f"e-{number}",
        "task": None,
        "prompt": "What is 2+2?",
        "reference": right,
        "input_tokens": 5,
        "contaminated": False,
        "outcomes": outcomes,
    }
    return Example(**fields | changes)


SURE, OTHER = "The answer is 4.", "The answer is 5."
EXAMPLES = (
    example(1, {"small": SURE, "middle": SURE, "large": SURE}),
    example(2, {"small": UNSURE, "middle": SURE, "large": SURE}),
    example(3, {"small": OTHER, "middle": SURE, "large": SURE}),
    example(4, {"small": OTHER, "middle": OTHER, "large": SURE}),
)
SUMMARY = summarized(EXAMPLES)
CATALOGUE, POLICY = recorded_catalogue("set", SUMMARY), recorded_policy(SUMMARY)


def player(strategy: str, **more: Any) -> DatasetPlayer:
    settings = more.pop("settings", StrategySettings())
    return DatasetPlayer(CATALOGUE, more.pop("policy", POLICY), strategy=strategy, settings=settings, **more)


def test_models_stand_by_cost_and_their_classes_by_quality() -> None:
    """A chain goes along the models that no cheaper one equals."""
    assert [model.name for model in CATALOGUE.models] == list(MODELS)
    ranks = [model.capability.rank for model in CATALOGUE.models]
    assert ranks == sorted(ranks)
    assert POLICY.chains["mixed"].models == MODELS


def test_a_chain_costs_what_its_answers_cost() -> None:
    """It ends at the first that is trusted."""
    chain = StrategySettings(threshold=probability(0.8))
    found = [player("fallback", settings=chain).play(one) for one in EXAMPLES]
    assert [one.escalations for one in found] == [0, 1, 0, 0]
    assert [one.quality for one in found] == [1.0, 1.0, 0.0, 0.0]
    assert [one.cost for one in found][:2] == [10**8, 11 * 10**8]


def test_a_vote_outvotes_the_wrong_answer() -> None:
    """All three are asked where the first two differ."""
    found = player("ensemble", settings=StrategySettings(members=MODELS)).play(EXAMPLES[2])
    assert (found.quality, found.calls) == (1.0, 3)


@pytest.mark.parametrize("strategy", ["cheapest", "fallback", "ensemble", "auto"])
@pytest.mark.parametrize("one", EXAMPLES, ids=lambda one: one.id)
def test_what_is_played_is_what_a_live_run_does(strategy: str, one: Example) -> None:
    """The live loop over a provider that gives the recorded answers ends with the same model after as many calls."""

    async def reply(call: ModelCall) -> Answer:
        return answer(one.outcomes[call.model.name].text or "")

    stage = Stage(reply)
    settings = StrategySettings(threshold=probability(0.8)) if strategy == "fallback" else StrategySettings()
    loop = stage.loop(one.prompt or "", strategy=strategy, settings=settings)
    world = replace(loop._world, catalogue=CATALOGUE, usable=CATALOGUE.models, policy=POLICY)
    import asyncio

    run = asyncio.run(RunLoop(loop._command, world, stage.log, stage.clock).run()).run
    found = player(strategy, settings=settings).play(one)
    assert run.model is not None
    assert found.quality == one.outcomes[run.model].score
    assert (found.calls, found.escalations) == (len(run.attempts), len(run.escalations))
    costs = [one.outcomes[attempt.model].cost for attempt in run.attempts]
    assert found.cost == sum(picodollars(cost) for cost in costs if cost is not None)


def test_a_learned_policy_asks_whom_its_weights_say() -> None:
    """The cheapest that reaches the target."""
    learned = replace(POLICY, router="routing-test", target=probability(0.9))
    found = player("cheapest", policy=learned, router=router({"small": 0.5, "middle": 0.95, "large": 0.99}))
    assert found.play(EXAMPLES[2]) == Played(quality=1.0, cost=10**9, calls=1)


@pytest.mark.parametrize(
    ("strategy", "settings", "one"),
    [
        ("fallback", {}, example(5, {"small": None, "middle": SURE, "large": SURE})),
        ("ensemble", {"members": MODELS, "method": Method.JUDGE}, EXAMPLES[2]),
        ("cheapest", {"judge": "large"}, EXAMPLES[0]),
        ("cheapest", {}, example(6, {"small": SURE}, prompt=None)),
    ],
)
def test_what_is_not_in_the_set_is_unknown(strategy: str, settings: dict[str, Any], one: Example) -> None:
    """An answer's text, a judge, a prompt: nothing is made up for them."""
    assert player(strategy, settings=StrategySettings(**settings)).play(one) == Played()


def test_a_task_label_is_never_read() -> None:
    """Whatever it says, the same is played."""
    for strategy in ("cheapest", "fallback", "ensemble", "auto"):
        here = player(strategy)
        assert [here.play(replace(one, task="hard")) for one in EXAMPLES] == [here.play(one) for one in EXAMPLES]


def test_the_oracle_asks_the_cheapest_that_is_right() -> None:
    assert oracle(EXAMPLES[2]) == Played(quality=1.0, cost=10**9, calls=1)
