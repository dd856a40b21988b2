"""Fallback, ensemble and auto on the loop: what is asked, what is committed when, and what a limit or a budget does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from model_orchestrator.application.failures import failure_of
from model_orchestrator.application.ports import Answer, Append, BudgetLimit, Expected, ModelCall, StreamAppend
from model_orchestrator.application.result import warnings
from model_orchestrator.domain.actions import CallModel, Fail
from model_orchestrator.domain.errors import ErrorKind, ModelError, ModelUnavailable, OutcomeUnknown
from model_orchestrator.domain.events import (
    BudgetRemoved,
    Escalated,
    Method,
    RetryRefused,
    RoutingDecided,
    RunCompleted,
    RunFailed,
    StopReason,
    StrategySettings,
    Synthesized,
)
from model_orchestrator.domain.run import RunStatus, fold
from model_orchestrator.domain.strategies import due
from model_orchestrator.domain.units import Usd, picodollars, probability

from .world import RUN, Stage, answer

MINI, HAIKU, SONNET, OPUS = "gpt-4o-mini", "claude-haiku-3.5", "claude-sonnet-3.5", "claude-opus-3"
UNSURE = "I'm not sure, I don't know, but it might possibly be Python?"
Reply = str | ModelError


def told(**replies: Reply | list[Reply]) -> Callable[[ModelCall], Awaitable[Answer]]:
    """Each model's replies, by name with underscores; the last one is given again and again."""
    left = {name.replace("_", "-"): list(r) if isinstance(r, list) else [r] for name, r in replies.items()}

    async def reply(call: ModelCall) -> Answer:
        mine = left[call.model.name.replace(".", "-")]
        said = mine.pop(0) if len(mine) > 1 else mine[0]
        if isinstance(said, ModelError):
            raise said
        return answer(said)

    return reply


def commits(stage: Stage) -> list[list[str]]:
    return [[event.type for event in append.streams[0].events] for append in stage.store.appends]


def run(stage: Stage, strategy: str, prompt: str = "What is Python?", **command: Any) -> Any:
    settings = StrategySettings(**{name: command.pop(name) for name in list(command) if name in FIELDS})
    return stage.run(prompt, strategy=strategy, settings=settings, **command)


FIELDS = set(StrategySettings.__dataclass_fields__)


def test_a_chain_escalates_until_an_answer_is_trusted() -> None:
    """Each step is one commit: what came back and the next call together."""
    stage = Stage(told(gpt_4o_mini=UNSURE, claude_haiku_3_5="Python is a programming language."))
    finished = run(stage, "fallback")
    assert [call.model.name for call in stage.client.calls] == [MINI, HAIKU]
    (escalated,) = [event for event in stage.events() if isinstance(event, Escalated)]
    assert (escalated.from_model, escalated.to_model) == (MINI, HAIKU)
    assert stage.events()[-1].stop_reason is StopReason.CONFIDENT
    assert finished.answer.text == "Python is a programming language."
    assert len(commits(stage)) == 3


def test_a_provider_that_is_down_is_passed_over_unbilled() -> None:
    """After its retries."""
    down = ModelUnavailable(ErrorKind.OVERLOADED, status=529)
    stage = Stage(told(gpt_4o_mini=down, claude_haiku_3_5="Python is a language."))
    finished = run(stage, "fallback", max_attempts=2)
    assert [call.model.name for call in stage.client.calls] == [MINI, MINI, HAIKU]
    assert finished.run.cost == finished.run.attempt(3).cost.amount


def test_a_chain_under_a_limit_stops_with_the_best_answer_and_never_passes_it() -> None:
    """Its dearest model does not fit the limit at all."""
    stage = Stage(told(gpt_4o_mini=UNSURE, claude_haiku_3_5=UNSURE, claude_sonnet_3_5=UNSURE))
    finished = run(stage, "fallback", max_cost=Usd("0.006"))
    assert finished.run.status is RunStatus.COMPLETED
    assert stage.events()[-1].stop_reason is StopReason.BUDGET
    assert finished.run.cost <= Usd("0.006")


def test_two_members_that_agree_are_two_calls_and_the_dissent_of_a_third_is_told() -> None:
    """The panel is asked at once, in one commit before the wire."""
    agreed = Stage(told(claude_haiku_3_5="The answer is 4.", gpt_4o_mini="Answer: 4"))
    run(agreed, "ensemble", "What is 2+2?")
    assert len(agreed.client.calls) == 2
    assert commits(agreed)[0][-2:] == ["AttemptStarted", "AttemptStarted"]
    assert agreed.events()[-1].stop_reason is StopReason.AGREEMENT

    replies = told(
        claude_haiku_3_5="The answer is 5.", gpt_4o_mini="The answer is 4.", claude_sonnet_3_5="The answer is 4."
    )
    split = Stage(replies)
    finished = run(split, "ensemble", "What is 2+2?")
    last = [event for event in split.events() if isinstance(event, Synthesized)][-1]
    assert last.method is Method.VOTE
    assert last.agreement == probability(2 / 3) or abs((last.agreement or 0) - 666_667) <= 1
    assert [finished.run.attempt(number).model for number in last.dissent] == [HAIKU]
    assert "4" in finished.answer.text


def test_a_failed_member_degrades_to_a_single_answer_that_is_marked() -> None:
    """Two members, one down."""
    down = ModelUnavailable(ErrorKind.OVERLOADED, status=529)
    stage = Stage(told(gpt_4o_mini="Python is a language.", claude_haiku_3_5=down))
    finished = run(stage, "ensemble", members=(MINI, HAIKU), max_attempts=1)
    assert stage.events()[-1].stop_reason is StopReason.SINGLE
    assert finished.answer.text == "Python is a language."


def test_a_judge_sees_the_answers_and_its_ranking_decides() -> None:
    """By the most capable member, after the others; what cannot be read as a ranking falls back on a rule."""
    stage = Stage(told(gpt_4o_mini="One.", claude_haiku_3_5=["Two.", '{"reason": "x", "ranking": ["B", "A"]}']))
    run(stage, "ensemble", members=(MINI, HAIKU), method=Method.JUDGE)
    judged = [event for event in stage.events() if isinstance(event, Synthesized)][-1]
    assert judged.method is Method.JUDGE
    request = stage.client.calls[-1].request
    assert "One." in request.messages[-1].text
    assert "Two." in request.messages[-1].text


@pytest.mark.parametrize(("members", "keeps_a_schema"), [((MINI, HAIKU), False), ((MINI, "gpt-4o"), True)])
def test_a_judge_is_held_to_a_schema_where_its_model_has_that_feature(
    members: tuple[str, ...], keeps_a_schema: bool
) -> None:
    """Another is told in words alone: asked for what it lacks, it would refuse every time."""
    stage = Stage(answer('{"reason": "x", "ranking": ["B", "A"]}'))
    run(stage, "ensemble", members=members, method=Method.JUDGE)
    judge = stage.client.calls[-1]
    assert (judge.request.parameters.response_format is not None) == keeps_a_schema


def test_an_aggregator_writes_the_answer_that_stands() -> None:
    """Its own text, not a member's."""
    stage = Stage(told(gpt_4o_mini="One.", claude_haiku_3_5=["Two.", "One and two."]))
    finished = run(stage, "ensemble", members=(MINI, HAIKU), method=Method.FUSE)
    assert finished.answer.text == "One and two."


@pytest.mark.parametrize(
    ("prompt", "strategy"),
    [("What is Python?", "cheapest"), ("Review this function for bugs: def add(a, b): return a - b", "fallback")],
)
def test_auto_goes_by_the_task_and_says_so(prompt: str, strategy: str) -> None:
    """The reason is in the decision."""
    stage = Stage()
    run(stage, "auto", prompt)
    decision = next(event for event in stage.events() if isinstance(event, RoutingDecided))
    assert decision.strategy == strategy
    assert decision.reason.startswith("task ")


def test_a_lost_attempt_is_made_once_more_and_both_may_cost() -> None:
    """The run's cost stays unknown."""
    stage = Stage(told(gpt_4o_mini=[OutcomeUnknown(ErrorKind.CUT), "Python is a language."]))
    finished = run(stage, "cheapest")
    assert len(stage.client.calls) == 2
    assert finished.run.status is RunStatus.COMPLETED
    assert finished.run.cost is None


# ---- budgets ----


def with_budget(stage: Stage, limit: str) -> Stage:
    """A budget over everything, of so many dollars a day."""
    events = stage.log.new_events("budget-global-day", [BudgetRemoved(scope="global", period="day")])
    change = BudgetLimit(scope="global", period="day", limit=picodollars(Usd(limit)))
    append = Append(streams=(StreamAppend("budget-global-day", Expected.ANY, events),), balances=(change,))
    asyncio.run(stage.store.append(append))
    stage.store.appends.clear()
    stage.budgets = (("global", "day"),)
    return stage


def balance(stage: Stage) -> tuple[int, int]:
    (row,) = asyncio.run(stage.store.balances())
    return row.held, row.settled


@pytest.mark.parametrize("strategy", ["cheapest", "fallback", "ensemble"])
def test_a_budget_holds_the_whole_plan_and_ends_with_what_was_spent(strategy: str) -> None:
    """Nothing is held any more, and what is settled is the cost to the last digit."""
    stage = with_budget(Stage(), "1")
    finished = run(stage, strategy)
    assert balance(stage) == (0, picodollars(finished.run.cost))
    assert next(event for event in stage.events() if isinstance(event, RoutingDecided)).holds


def test_a_plan_that_does_not_fit_is_shortened() -> None:
    """The chain loses its dear end; what was dropped is in the decision."""
    stage = with_budget(Stage(), "0.006")
    finished = run(stage, "fallback")
    decision = next(event for event in stage.events() if isinstance(event, RoutingDecided))
    assert finished.run.status is RunStatus.COMPLETED
    assert [call.model for call in decision.plan] == [MINI, HAIKU]
    assert {OPUS, SONNET} <= {*decision.dropped, *(one.model for one in decision.excluded)}
    assert decision.headroom[0].limit == Usd("0.006")
    assert any(said.startswith("the limit leaves too little for ") and OPUS in said for said in warnings(finished.run))


def test_a_budget_that_no_plan_fits_refuses_before_the_wire() -> None:
    """With the figure that would do; nothing is held."""
    stage = with_budget(Stage(), "0.000001")
    run(stage, "cheapest")
    ended = stage.events()[-1]
    assert isinstance(ended, RunFailed)
    assert ended.kind is ErrorKind.BUDGET
    assert ended.needed is not None
    assert not stage.client.calls
    assert not any(row.held or row.settled for row in asyncio.run(stage.store.balances()))
    failure = failure_of(fold(RUN, stage.events()))
    assert failure.details["limit"] == "0.000001"
    assert failure.details["would_fit"] == failure.details["needed"]
    assert "the budget global (day)" in str(failure)


def test_runs_at_once_never_pass_a_budget() -> None:
    """Thirty runs against one that covers a few: held and settled together stay below the limit at every moment."""
    stage = with_budget(Stage(), "0.002")

    async def all_at_once() -> list[Any]:
        loops = []
        for number in range(30):
            loop = stage.loop(strategy=["cheapest", "fallback", "ensemble"][number % 3], run_id=f"run-{number}")
            loops.append(loop.run())
        return list(await asyncio.gather(*loops))

    finished = asyncio.run(all_at_once())
    spent = sum(picodollars(one.run.cost) for one in finished)
    held, settled = balance(stage)
    assert (held, settled) == (0, spent)
    assert spent <= picodollars(Usd("0.002"))
    assert any(isinstance(one.run.ended, RunCompleted) for one in finished)


def test_a_lost_attempt_keeps_its_hold() -> None:
    """It may be billed, and is held until somebody knows."""
    stage = with_budget(Stage(told(gpt_4o_mini=OutcomeUnknown(ErrorKind.CUT))), "1")
    finished = run(stage, "cheapest", on_unknown="fail")
    held, settled = balance(stage)
    assert settled == 0
    assert held == picodollars(finished.run.attempt(1).started.max_cost)


# ---- a budget that refuses the retry of a lost call ----

CUT = OutcomeUnknown(ErrorKind.CUT)


def plan_price(strategy: str, **settings: Any) -> Decimal:
    """What a budget has to have room for, so that the plan is not shortened."""
    stage = with_budget(Stage(), "1")
    run(stage, strategy, **settings)
    return next(event for event in stage.events() if isinstance(event, RoutingDecided)).holds[0].amount


def refusals(stage: Stage) -> list[int]:
    return [event.attempt for event in stage.events() if isinstance(event, RetryRefused)]


def test_where_nothing_answered_the_refused_retry_is_the_reason_with_its_figures() -> None:
    """With a limit of `would_fit` the same run is answered."""
    replies: list[Reply] = [CUT, "Python is a language."]
    stage = with_budget(Stage(told(gpt_4o_mini=replies)), str(plan_price("cheapest")))
    run(stage, "cheapest")
    ended = stage.events()[-1]
    assert isinstance(ended, RunFailed)
    assert ended.kind is ErrorKind.BUDGET
    assert refusals(stage) == [1]
    assert len(stage.client.calls) == 1
    failure = failure_of(fold(RUN, stage.events()))
    assert "one more attempt at a lost call needs $" in str(failure)
    assert failure.details["needed"] == str(ended.needed)
    enough = with_budget(Stage(told(gpt_4o_mini=replies)), str(failure.details["would_fit"]))
    assert run(enough, "cheapest").run.status is RunStatus.COMPLETED


def test_a_member_whose_retry_is_refused_leaves_the_answer_of_the_other() -> None:
    """Marked as single; what may be billed stays held."""
    pair: dict[str, Any] = {"members": (MINI, HAIKU)}
    stage = with_budget(
        Stage(told(gpt_4o_mini="Python is a language.", claude_haiku_3_5=CUT)), str(plan_price("ensemble", **pair))
    )
    finished = run(stage, "ensemble", **pair)
    assert finished.answer.text == "Python is a language."
    assert stage.events()[-1].stop_reason is StopReason.SINGLE
    assert refusals(stage) == [2]
    assert balance(stage)[0] == picodollars(finished.run.attempt(2).started.max_cost)


def test_of_two_lost_members_the_one_that_fits_is_asked_again() -> None:
    """They are refused together, then one by one."""
    pair: dict[str, Any] = {"members": (MINI, HAIKU)}
    room = plan_price("ensemble", **pair) + Decimal("0.001")  # for the cheap one's retry alone
    stage = with_budget(Stage(told(gpt_4o_mini=[CUT, "Python."], claude_haiku_3_5=[CUT, "Python."])), f"{room:f}")
    finished = run(stage, "ensemble", **pair)
    assert finished.run.attempt(refusals(stage)[0]).model == HAIKU
    assert [call.model.name for call in stage.client.calls] == [MINI, HAIKU, MINI]
    assert finished.answer.text == "Python."


def test_a_chain_goes_on_without_the_retry_and_says_that_money_was_short() -> None:
    """The next model's price is held already."""
    chain: dict[str, Any] = {"chain": (MINI, HAIKU)}
    sure = Stage(told(gpt_4o_mini=CUT, claude_haiku_3_5="Python is a programming language."))
    run(with_budget(sure, str(plan_price("fallback", **chain))), "fallback", **chain)
    assert refusals(sure) == [1]
    assert sure.events()[-1].stop_reason is StopReason.CONFIDENT
    unsure = Stage(told(gpt_4o_mini=UNSURE, claude_haiku_3_5=CUT))
    finished = run(with_budget(unsure, str(plan_price("fallback", **chain))), "fallback", **chain)
    assert finished.answer.text == UNSURE
    assert unsure.events()[-1].stop_reason is StopReason.BUDGET


def test_a_refused_retry_is_decided_once_whoever_reads_the_log() -> None:
    """From the refusal on, the call is not due any more; before it, it is."""
    stage = with_budget(Stage(told(gpt_4o_mini=CUT)), str(plan_price("cheapest")))
    run(stage, "cheapest")
    events = stage.events()
    place = stage.types().index("RetryRefused")
    assert isinstance(due(fold(RUN, events[:place]))[0], CallModel)
    assert isinstance(due(fold(RUN, events[: place + 1]))[0], Fail)
