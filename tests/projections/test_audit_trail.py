"""The timeline says of every event what happened, what it cost and why."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import (
    Exclusion,
    ExclusionReason,
    Headroom,
    Hold,
    Money,
    Purpose,
    RetryRefused,
    RunCancelled,
    RunClaimed,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunRescored,
    StopReason,
)
from model_orchestrator.domain.units import Timestamp, Usd, probability
from model_orchestrator.projections.audit_trail import TrailEntry, trail

from ..read_models import fed_back, from_cache, reconciled
from ..scenario import (
    HAIKU,
    MINI,
    REF,
    answered,
    asked,
    assessed,
    costed,
    escalated,
    failed,
    lost,
    routed,
    scored,
    started,
    synthesized,
)


def told(*events: RunEvent) -> list[TrailEntry]:
    return list(trail((number, Timestamp(number), event) for number, event in enumerate(events, start=1)))


def test_every_event_has_a_line() -> None:
    """In order, with its type; none is left out."""
    completed = RunCompleted(
        attempt=1,
        stop_reason=StopReason.ANSWERED,
        answer=REF,
        confidence=probability(0.5),
        cost=Usd("0.0000243"),
        released=(),
    )
    headroom = Headroom(scope="global", period="day", limit=Usd("1"), held=Usd("0.5"), settled=Usd("0"))
    entries = told(
        started(),
        RunClaimed(epoch=2, worker="other:1"),
        assessed(),
        routed(MINI),
        asked(MINI),
        answered(),
        costed(),
        scored(0.5),
        failed(2),
        lost(3),
        RetryRefused(attempt=3, needed=Usd("1"), headroom=headroom),
        reconciled(3),
        escalated(MINI, HAIKU),
        synthesized(1, 2, chosen=1),
        from_cache(None),
        completed,
        RunFailed(kind=ErrorKind.SERVER, needed=None, cost=None, released=()),
        RunCancelled(by="local", cost=Usd("0"), released=()),
        RunRescored(attempt=1, score=probability(0.3), signals={}, scorer="s-1", by="local", judged_in="run-2"),
        fed_back(1.0),
    )
    assert [entry.version for entry in entries] == list(range(1, 21))
    assert all(entry.says for entry in entries)
    assert {entry.type for entry in entries} == {one.__name__ for one in get_args(RunEvent)}


def test_a_cost_stands_with_its_amount_and_whose_money_it_is() -> None:
    """Simulated and estimated money say so."""
    (entry,) = told(replace(costed(), money=Money.SIMULATED, estimated=True))
    assert entry.cost == Usd("0.0000243")
    assert "$0.0000243" in entry.says
    assert "simulated money" in entry.says
    assert "estimated" in entry.says


def test_an_unknown_cost_is_never_shown_as_zero() -> None:
    """None is not nothing."""
    (entry,) = told(costed(amount=None))
    assert entry.cost is None
    assert "unknown" in entry.says


def test_a_decision_tells_every_candidate_and_reason() -> None:
    """The why of the plan."""
    exclusion = Exclusion(model="gpt-4", reason=ExclusionReason.NO_KEY, limit="OPENAI_API_KEY")
    (entry,) = told(replace(routed(MINI), excluded=(exclusion,)))
    assert entry.says == f"ask {MINI}"
    assert any(detail.startswith(f"candidate {MINI}") for detail in entry.details)
    assert "excluded gpt-4: no key: set OPENAI_API_KEY" in entry.details


def test_a_lost_attempt_says_that_nobody_knows_whether_it_was_billed() -> None:
    """A failed one says it was not."""
    failure, loss = told(failed(), lost(2))
    assert "not billed" in failure.says
    assert "unknown" in loss.says


def test_a_refused_retry_and_a_cached_answer_say_what_they_are_about() -> None:
    headroom = Headroom(scope="global", period="day", limit=Usd("1"), held=Usd("0.5"), settled=Usd("0"))
    refused, cached = told(RetryRefused(attempt=3, needed=Usd("2"), headroom=headroom), from_cache("0.0002"))
    assert refused.says == "attempt 3 is not made again: the budget global (day) has no room for $2"
    assert cached.says == f"the answer {MINI} gave in run-0, saving $0.0002"
    assert (refused.attempt, cached.attempt) == (3, None)  # what the cache gave is no attempt of this run


def test_a_judge_is_told_from_who_answers() -> None:
    asking, score = told(replace(asked(HAIKU, 2), purpose=Purpose.JUDGE), replace(scored(0.7), scorer="judge:gpt-4o"))
    assert f"attempt 2: {HAIKU} (openai) as judge" in asking.says
    assert score.says == "attempt 1: confidence 0.70 by judge:gpt-4o"


def test_a_failure_that_was_billed_says_so() -> None:
    (entry,) = told(replace(failed(), billed=True))
    assert "billed all the same" in entry.says


def test_the_money_in_the_way_is_part_of_the_why() -> None:
    """Holds, the budgets that left too little, what they cost the plan, and what would have been enough."""
    headroom = Headroom(scope="category:chat", period="day", limit=Usd("1"), held=Usd("0.5"), settled=Usd("0.25"))
    decision = replace(
        routed(MINI),
        holds=(Hold(scope="global", period="month", amount=Usd("0.1")),),
        headroom=(headroom,),
        dropped=(HAIKU,),
        needed=Usd("2"),
    )
    first, second, last = told(
        started(max_cost="0.5"), decision, RunFailed(kind=ErrorKind.BUDGET, needed=Usd("2"), cost=None, released=())
    )
    assert "may cost $0.5" in first.details
    assert {
        "holds $0.1 of budget global (month)",
        "budget category:chat (day) of $1: $0.25 spent, $0.5 held",
        f"left out for the budget: {HAIKU}",
        "$2 would let a plan through",
    } <= set(second.details)
    assert last.details == ("$2 would have been enough",)
