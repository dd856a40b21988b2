"""What each strategy commits and when, and what becomes of a call that is made again or comes too late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from model_orchestrator.application.ports import Answer, ModelCall
from model_orchestrator.domain.errors import ErrorKind, ModelRefused, ModelUnavailable, OutcomeUnknown
from model_orchestrator.domain.events import AttemptFailed, AttemptStarted, StopReason, StrategySettings
from model_orchestrator.domain.units import Usd, picodollars
from model_orchestrator.infrastructure.bootstrap import Orchestrator
from model_orchestrator.infrastructure.settings import Settings
from tests.contracts.appends import whole_log

from .world import Stage, answer

MINI, HAIKU, SONNET, OPUS = "gpt-4o-mini", "claude-haiku-3.5", "claude-sonnet-3.5", "claude-opus-3"
SURE, UNSURE = "Python is a programming language.", "I'm not sure, I don't know, but it might possibly be Python?"
OUTCOME = ["ModelCalled", "CostIncurred", "ConfidenceScored"]


def commits(stage: Stage) -> list[list[str]]:
    return [[event.type for event in append.streams[0].events] for append in stage.store.appends]


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_chain_of_n_steps_is_n_plus_1_commits(steps: int) -> None:
    """What came back, the escalation and the next attempt are one."""
    chain = (MINI, HAIKU, SONNET, OPUS)

    async def reply(call: ModelCall) -> Answer:
        return answer(SURE if call.model.name == chain[steps - 1] else UNSURE)

    stage = Stage(reply)
    stage.run(strategy="fallback")
    before = ["RunStarted", "PromptAssessed", "RoutingDecided", "AttemptStarted"]
    between = [*OUTCOME, "Escalated", "AttemptStarted"]
    assert commits(stage) == [before, *[between] * (steps - 1), [*OUTCOME, "RunCompleted"]]
    assert [call.model.name for call in stage.client.calls] == list(chain[:steps])


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
@pytest.mark.parametrize("is_limited", [False, True])
def test_a_run_of_one_call_is_two_commits_in_the_database(
    database: str, is_limited: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Events that were committed together have one moment; a budget's hold and its settlement ride along."""
    sqlite = f"sqlite:///{tmp_path / 'log.db'}"
    url = sqlite if database == "sqlite" else request.getfixturevalue("postgres_url")

    async def scenario() -> list[list[str]]:
        settings = Settings.load(env={}, database_url=url, provider="simulated")
        async with Orchestrator(settings) as orchestrator:
            store = orchestrator.store
            if is_limited:
                await orchestrator.set_budget("global", Usd(1), period="total")
            before = await store.head()
            await orchestrator.run("What is Python?")
            moments: dict[int, list[str]] = {}
            for event in (await whole_log(store))[before:]:
                moments.setdefault(event.recorded_at, []).append(event.type)
            return list(moments.values())

    before_the_call, after_it = asyncio.run(scenario())
    assert [one for one in before_the_call if one != "PriceListPublished"] == [
        "RunStarted",
        "PromptAssessed",
        "RoutingDecided",
        "AttemptStarted",
    ]
    assert after_it == [*OUTCOME, "RunCompleted"]


def together(size: int) -> Callable[[ModelCall], Awaitable[Answer]]:
    """Nobody is answered until `size` calls are under way at once."""
    barrier = asyncio.Barrier(size)

    async def reply(call: ModelCall) -> Answer:
        await barrier.wait()
        return answer("The answer is 4.")

    return reply


@pytest.mark.parametrize("size", [2, 3])
def test_members_of_a_panel_are_under_way_at_once_after_one_commit(size: int) -> None:
    """One before the wire; then at most one for each batch of outcomes."""
    stage = Stage(together(size))
    settings = StrategySettings(members=(MINI, HAIKU, SONNET)[:size], full_panel=True)
    stage.run("What is 2+2?", strategy="ensemble", settings=settings)
    first, *rest = commits(stage)
    assert first == ["RunStarted", "PromptAssessed", "RoutingDecided", *["AttemptStarted"] * size]
    assert 1 <= len(rest) <= size
    assert rest[-1][-2:] == ["Synthesized", "RunCompleted"]
    assert sorted(name for one in rest for name in one if name in OUTCOME) == sorted(OUTCOME * size)


def test_a_retry_waits_as_long_as_its_failure_said() -> None:
    """With a draw of 0 that is the least; the attempt that failed is a fact of its own, unbilled."""
    replies = iter([ModelUnavailable(ErrorKind.OVERLOADED, status=529), None])

    async def reply(call: ModelCall) -> Answer:
        if error := next(replies):
            raise error
        return answer(SURE)

    stage = Stage(reply)
    finished = stage.run()
    failed = next(event for event in stage.events() if isinstance(event, AttemptFailed))
    assert failed.retry_in is not None
    assert not failed.billed
    assert [attempt.model for attempt in finished.run.attempts] == [MINI, MINI]
    assert finished.run.cost == Usd("0.0000243")


def test_only_the_attempt_after_a_lost_one_brings_a_hold_of_its_own() -> None:
    """One that is known to be unbilled leaves its hold to the next."""
    replies = iter([OutcomeUnknown(ErrorKind.CUT), ModelUnavailable(ErrorKind.OVERLOADED, status=529), None])

    async def reply(call: ModelCall) -> Answer:
        if error := next(replies):
            raise error
        return answer(SURE)

    stage = Stage(reply)
    stage.budgets = (("global", "total"),)
    stage.run()
    started = [event for event in stage.events() if isinstance(event, AttemptStarted)]
    assert [len(one.hold) for one in started] == [0, 1, 0]
    (balance,) = asyncio.run(stage.store.balances())
    assert balance.held == picodollars(started[0].max_cost or Usd(0))


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(ModelUnavailable(ErrorKind.OVERLOADED, status=529), 3), (ModelRefused(ErrorKind.AUTH, status=401), 1)],
)
def test_only_what_can_succeed_again_is_tried_again(error: ModelUnavailable | ModelRefused, attempts: int) -> None:
    """As often as was set, the first included; the last failure says that no other comes."""
    stage = Stage(error)
    stage.run()
    assert len(stage.client.calls) == attempts
    failures = [event for event in stage.events() if isinstance(event, AttemptFailed)]
    assert failures[-1].retry_in is None


def test_a_lost_call_is_made_again_only_where_both_fit_the_limit() -> None:
    """The lost one may be billed at its worst, so a limit that covers one call does not cover two."""
    stage = Stage(OutcomeUnknown(ErrorKind.CUT))
    worst = stage_worst()
    stage.run(max_cost=worst)
    assert len(stage.client.calls) == 1
    covered = Stage(OutcomeUnknown(ErrorKind.CUT))
    covered.run(max_cost=Usd(format(2 * worst, "f")))
    assert len(covered.client.calls) == 2
    assert covered.events()[-1].cost is None


def stage_worst() -> Usd:
    """The most the one call of a plain run can cost."""
    stage = Stage()
    stage.run()
    cost = next(event for event in stage.events() if isinstance(event, AttemptStarted)).max_cost
    assert cost is not None
    return cost


def test_at_the_deadline_the_best_answer_so_far_is_given() -> None:
    """A chain with no time for its next model has been paid for an answer already."""

    async def reply(call: ModelCall) -> Answer:
        stage.clock.time += 2_000_000
        return answer(UNSURE)

    stage = Stage(reply)
    finished = stage.run(strategy="fallback", timeout=3.0)
    assert [call.model.name for call in stage.client.calls] == [MINI, HAIKU]
    assert stage.events()[-1].stop_reason is StopReason.DEADLINE
    assert finished.answer is not None
    assert finished.answer.text == UNSURE
