"""A judge as the scorer: its call is held, paid and recorded like any other, and what it gives nothing of is scored."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from model_orchestrator.application.ports import Answer, ModelCall
from model_orchestrator.application.result import OrchestrationResult, result_of
from model_orchestrator.domain.budget import total
from model_orchestrator.domain.errors import ErrorKind, ModelUnavailable, OutcomeUnknown
from model_orchestrator.domain.events import (
    AttemptStarted,
    ConfidenceScored,
    Method,
    Purpose,
    RoutingDecided,
    StopReason,
    StrategySettings,
)
from model_orchestrator.domain.pricing import Usage
from model_orchestrator.domain.units import Duration, Timestamp, Usd, picodollars

from .test_strategies import balance, told, with_budget
from .world import Stage, answer

MINI, HAIKU, JUDGE = "gpt-4o-mini", "claude-haiku-3.5", "gpt-4o"
GOOD, BAD = '{"reason": "It holds.", "score": 92}', '{"reason": "It is another city.", "score": 8}'
DOWN = ModelUnavailable(ErrorKind.OVERLOADED, status=529)


def stage(judge: Any = GOOD, **answers: Any) -> Stage:
    said: dict[str, Any] = {"gpt_4o_mini": "It is Paris.", "claude_haiku_3_5": "It is Lyon."}
    return Stage(told(gpt_4o=judge, **(said | answers)))


def run(on: Stage, strategy: str, **command: Any) -> Any:
    names = set(StrategySettings.__dataclass_fields__)
    settings = StrategySettings(**{"judge": JUDGE} | {name: command.pop(name) for name in names & set(command)})
    return on.run("What is the capital of France?", strategy=strategy, settings=settings, **command)


def scores(on: Stage) -> list[tuple[int, str, int]]:
    return [(one.attempt, one.scorer, one.score) for one in on.events() if isinstance(one, ConfidenceScored)]


def result(finished: Any) -> OrchestrationResult:
    return result_of(finished.run, finished.answer, started_at=Timestamp(0), latency=Duration(0))


def test_a_cheapest_answer_has_the_judges_confidence_and_the_cost_of_both() -> None:
    on = stage()
    finished = run(on, "cheapest")
    assert scores(on) == [(1, "judge:gpt-4o", 920_000)]
    assert [one.purpose for one in on.events() if isinstance(one, AttemptStarted)] == [Purpose.ANSWER, Purpose.JUDGE]
    assert finished.run.cost == total(attempt.spent for attempt in finished.run.attempts)
    said = result(finished)
    assert (said.response, said.confidence, said.model_used) == ("It is Paris.", 0.92, MINI)
    assert (said.fallback_chain, said.metadata["scorer"], said.metadata["warnings"]) == ([MINI], "judge:gpt-4o", [])


def test_a_judge_reads_the_question_and_the_answer_and_keeps_a_schema_where_it_can() -> None:
    on = stage()
    run(on, "cheapest")
    request = on.client.calls[-1].request
    assert "What is the capital of France?" in request.messages[-1].text
    assert "It is Paris." in request.messages[-1].text
    assert request.parameters.response_format is not None
    plain = Stage(told(gpt_4o_mini="It is Paris.", claude_haiku_3_5=GOOD))
    run(plain, "cheapest", judge=HAIKU)
    assert plain.client.calls[-1].request.parameters.response_format is None
    assert scores(plain) == [(1, "judge:claude-haiku-3.5", 920_000)]


def test_a_chain_goes_on_where_its_judge_does_not_trust_the_answer() -> None:
    """And ends with the one it trusts."""
    on = stage([BAD, GOOD])
    finished = run(on, "fallback", chain=(MINI, HAIKU))
    assert [call.model.name for call in on.client.calls] == [MINI, JUDGE, HAIKU, JUDGE]
    assert on.events()[-1].stop_reason is StopReason.CONFIDENT
    assert finished.answer.text == "It is Lyon."


@pytest.mark.parametrize("judge", ["I'd say it is fine.", '{"score": 250}', DOWN, OutcomeUnknown(ErrorKind.CUT)])
def test_where_the_judge_gives_no_score_the_heuristic_one_stands_and_a_warning_says_so(judge: Any) -> None:
    on = stage(judge)
    finished = run(on, "cheapest", max_attempts=1)
    assert scores(on) == [(1, "heuristic-1", 850_000)]
    assert finished.answer.text == "It is Paris."
    assert "the judge gpt-4o gave no score of gpt-4o-mini's answer" in result(finished).metadata["warnings"][-1]


def test_members_of_an_ensemble_and_a_fused_answer_are_judged() -> None:
    on = stage([GOOD, BAD, BAD], claude_haiku_3_5=["It is Lyon.", "Paris, not Lyon."])
    run(on, "ensemble", members=(MINI, HAIKU), method=Method.FUSE)
    assert [(scorer, score) for _, scorer, score in scores(on)] == [
        ("judge:gpt-4o", 920_000),
        ("judge:gpt-4o", 80_000),
        ("judge:gpt-4o", 80_000),
    ]


def test_nothing_of_the_judge_is_passed_on_while_an_answer_is_streamed() -> None:
    """A chain shows only the answer that stands."""
    on, heard = stage(), []

    async def reply(call: ModelCall) -> Answer:
        return await told(gpt_4o_mini="It is Paris.", gpt_4o=GOOD)(call)

    async def complete(call: ModelCall, sink: Any = None) -> Answer:
        heard.append((call.model.name, sink is not None))
        return await reply(call)

    on.client.complete = complete  # type: ignore[method-assign]
    loop = on.loop(strategy="cheapest", settings=StrategySettings(judge=JUDGE))
    loop._caller._sink = lambda piece: None
    asyncio.run(loop.run())
    assert heard == [(MINI, True), (JUDGE, False)]


def test_at_the_deadline_an_answer_whose_judge_was_not_heard_is_given_all_the_same() -> None:
    on = stage()

    async def reply(call: ModelCall) -> Answer:
        on.clock.time += 4_000_000
        return await told(gpt_4o_mini="It is Paris.", gpt_4o=GOOD)(call)

    on.client.reply = reply
    finished = run(on, "cheapest", timeout=3.0)
    assert on.events()[-1].stop_reason is StopReason.DEADLINE
    assert scores(on) == [(1, "heuristic-1", 850_000)]
    assert finished.answer.text == "It is Paris."


@pytest.mark.parametrize("strategy", ["cheapest", "fallback", "ensemble"])
def test_a_budget_holds_the_judges_too_and_ends_with_what_was_spent(strategy: str) -> None:
    on = with_budget(stage(claude_sonnet_3_5="It is Paris."), "1")
    finished = run(on, strategy)
    decision = next(event for event in on.events() if isinstance(event, RoutingDecided))
    assert any(call.scores is not None for call in decision.plan)
    assert decision.holds[0].amount == total(call.max_cost for call in decision.plan)
    assert balance(on) == (0, picodollars(finished.run.cost))


@pytest.mark.parametrize("strategy", ["cheapest", "fallback", "ensemble"])
@pytest.mark.parametrize("limit", ["0.0009", "0.0258"])  # too small for a judge, and for one beside an answer
def test_a_budget_too_small_for_the_judge_pays_the_answer(strategy: str, limit: str) -> None:
    """The judge goes before the last answer does, and the heuristic score stands."""
    on = with_budget(stage(), limit)
    finished = run(on, strategy, members=(MINI, HAIKU) if strategy == "ensemble" else ())
    decision = next(event for event in on.events() if isinstance(event, RoutingDecided))
    assert all(call.scores is None for call in decision.plan)
    assert {scorer for _, scorer, _ in scores(on)} == {"heuristic-1"}
    assert balance(on) == (0, picodollars(finished.run.cost))


@pytest.mark.parametrize("strategy", ["cheapest", "fallback", "ensemble"])
@pytest.mark.parametrize("limit", ["0.0007", "0.002", "0.004", "0.01", "0.03"])
def test_a_run_with_a_judge_never_costs_more_than_its_limit(strategy: str, limit: str) -> None:
    """Each call at its worst."""

    async def reply(call: ModelCall) -> Answer:
        used = Usage(input_uncached=1, output=call.max_output_tokens)
        return answer(BAD if call.model.name == JUDGE else "I am not sure.", usage=used)

    on = Stage(reply)
    finished = run(on, strategy, max_cost=Usd(limit))
    assert finished.run.cost <= Usd(limit)
    paid = total(
        one.max_cost for one in on.events() if isinstance(one, AttemptStarted) and one.purpose is Purpose.JUDGE
    )
    assert paid <= Usd(limit)
