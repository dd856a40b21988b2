"""The timeline says of every event what happened, what it cost and why."""

from __future__ import annotations

from dataclasses import replace

from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import (
    Exclusion,
    ExclusionReason,
    Headroom,
    Money,
    RetryRefused,
    RunCancelled,
    RunClaimed,
    RunCompleted,
    RunEvent,
    RunFailed,
    StopReason,
)
from model_orchestrator.domain.units import Timestamp, Usd, probability
from model_orchestrator.projections.audit_trail import TrailEntry, trail

from ..scenario import MINI, REF, answered, asked, assessed, costed, failed, lost, routed, scored, started


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
        completed,
        RunFailed(kind=ErrorKind.SERVER, needed=None, cost=None, released=()),
        RunCancelled(by="local", cost=Usd("0"), released=()),
    )
    assert [entry.version for entry in entries] == list(range(1, 15))
    assert all(entry.says for entry in entries)
    assert len({entry.type for entry in entries}) == 14


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
