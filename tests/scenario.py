"""Runs told as sentences: given(facts).when(facts).then(state).due(actions)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from model_orchestrator.domain.actions import Action, CallModel
from model_orchestrator.domain.catalogue import ModelCapability
from model_orchestrator.domain.complexity import TaskType
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import (
    AttemptFailed,
    AttemptLost,
    AttemptStarted,
    Candidate,
    ConfidenceScored,
    ContentRef,
    CostIncurred,
    Escalated,
    EscalationReason,
    MemberScore,
    Method,
    ModelCalled,
    Money,
    PlannedCall,
    PromptAssessed,
    Purpose,
    RoutingDecided,
    RunEvent,
    RunStarted,
    StrategySettings,
    Synthesized,
)
from model_orchestrator.domain.finish import FinishReason
from model_orchestrator.domain.pricing import PriceCard, Usage
from model_orchestrator.domain.run import Run, evolve, fold
from model_orchestrator.domain.strategies import due
from model_orchestrator.domain.units import Duration, Usd, probability

MINI, HAIKU = "gpt-4o-mini", "claude-haiku-3.5"
CARD = PriceCard(id="gpt-4o-mini@test", input=Usd("0.15"), output=Usd("0.60"))
USAGE = Usage(input_uncached=2, output=40)
REF = ContentRef("c-1", "00")


@dataclass(frozen=True)
class Scenario:
    """A run so far."""

    run: Run

    def when(self, *events: RunEvent) -> Scenario:
        """More happens."""
        run = self.run
        for event in events:
            run = evolve(run, event)
        return Scenario(run)

    def then(self, *claims: Callable[[Run], bool]) -> Scenario:
        """Every claim holds of the run."""
        for claim in claims:
            assert claim(self.run), self.run
        return self

    def due(self, *actions: Action) -> Scenario:
        """Exactly these actions are due."""
        assert due(self.run) == actions
        return self


def given(*events: RunEvent) -> Scenario:
    """A run with these events."""
    return Scenario(fold("run-1", events))


def started(strategy: str = "cheapest", *, max_cost: str | None = None, **settings: Any) -> RunStarted:
    return RunStarted(
        request=REF,
        strategy=strategy,
        settings=StrategySettings(**settings),
        category="orchestration",
        tags={},
        owner="local",
        subject=None,
        max_cost=None if max_cost is None else Usd(max_cost),
        deadline=None,
        provider="live",
        catalogue="catalogue-hash",
        policy="policy-hash",
        worker="test:1",
    )


def assessed(capability: ModelCapability = ModelCapability.BASIC) -> PromptAssessed:
    return PromptAssessed(
        capability=capability,
        confidence=probability(0.8),
        task_type=TaskType.QUESTION,
        signals={"question": 1_000_000},
        assessor="test",
    )


def planned(model: str) -> PlannedCall:
    return PlannedCall(
        model=model,
        expected_input_tokens=4,
        max_input_tokens=20,
        expected_output_tokens=100,
        max_output_tokens=1024,
        min_cost=Usd("0.0000012"),
        expected_cost=Usd("0.0000606"),
        max_cost=Usd("0.0006174"),
    )


def routed(
    *models: str, needed: str | None = None, strategy: str = "cheapest", threshold: float | None = None
) -> RoutingDecided:
    return RoutingDecided(
        strategy=strategy,
        reason="asked",
        plan=tuple(planned(model) for model in models),
        holds=(),
        candidates=tuple(Candidate(model=model, expected_cost=Usd("0.0000606")) for model in models),
        excluded=(),
        usable=models,
        capability=ModelCapability.BASIC,
        threshold=None if threshold is None else probability(threshold),
        method=None,
        headroom=(),
        dropped=(),
        needed=None if needed is None else Usd(needed),
        policy="test",
    )


def call(model: str, index: int = 0) -> CallModel:
    return CallModel(index, planned(model))


def asked(model: str, attempt: int = 1, index: int = 0) -> AttemptStarted:
    return AttemptStarted(
        attempt=attempt,
        call=index,
        epoch=1,
        model=model,
        provider="openai",
        api_id=model,
        price_card=CARD,
        purpose=Purpose.ANSWER,
        max_cost=Usd("0.0006174"),
        max_output_tokens=1024,
    )


def answered(attempt: int = 1, *, usage: Usage | None = USAGE) -> ModelCalled:
    return ModelCalled(
        attempt=attempt,
        answer=REF,
        raw=None,
        usage=usage,
        finish_reason=FinishReason.STOP,
        response_model="gpt-4o-mini-2024-07-18",
        provider_request_id="req-1",
        latency=Duration(200_000),
        first_token=None,
    )


def failed(
    attempt: int = 1, kind: ErrorKind = ErrorKind.RATE_LIMITED, *, retry_in: float | None = None
) -> AttemptFailed:
    return AttemptFailed(
        attempt=attempt,
        kind=kind,
        status=429,
        retry_after=None,
        retry_in=None if retry_in is None else Duration(int(retry_in * 1_000_000)),
        billed=False,
        detail=None,
        provider_request_id=None,
        latency=Duration(1000),
    )


def lost(attempt: int = 1, kind: ErrorKind = ErrorKind.CUT) -> AttemptLost:
    return AttemptLost(
        attempt=attempt, kind=kind, status=None, detail=None, provider_request_id=None, latency=Duration(1000)
    )


def costed(attempt: int = 1, amount: str | None = "0.0000243") -> CostIncurred:
    return CostIncurred(
        attempt=attempt,
        amount=None if amount is None else Usd(amount),
        price_card=CARD.id,
        estimated=False,
        settles=(),
        money=Money.REAL,
    )


def scored(score: float, attempt: int = 1) -> ConfidenceScored:
    return ConfidenceScored(attempt=attempt, score=probability(score), signals={}, scorer="test")


def refusal(attempt: int = 1) -> ModelCalled:
    return replace(answered(attempt), finish_reason=FinishReason.REFUSAL)


def escalated(from_model: str, to_model: str, reason: EscalationReason = EscalationReason.LOW_CONFIDENCE) -> Escalated:
    return Escalated(from_model=from_model, to_model=to_model, reason=reason, confidence=None, threshold=None)


def synthesized(*attempts: int, chosen: int | None, agreement: float | None = None) -> Synthesized:
    return Synthesized(
        method=Method.VOTE,
        members=tuple(MemberScore(attempt=number, score=probability(0.5)) for number in attempts),
        agreement=None if agreement is None else probability(agreement),
        dissent=(),
        chosen=chosen,
        justification=None,
    )
