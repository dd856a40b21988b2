"""What a caller gets back from a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ..domain.events import (
    AnsweredFromCache,
    Escalated,
    Exploration,
    ModelCalled,
    Money,
    PromptAssessed,
    Purpose,
    RoutingDecided,
    RunCompleted,
    RunRescored,
)
from ..domain.exclusions import exclusion_text, left_out_for_money
from ..domain.finish import FinishReason
from ..domain.forecast import predicted
from ..domain.pricing import Usage
from ..domain.run import Attempt, Run
from ..domain.scorers import judge_scorer
from ..domain.strategies.progress import is_refusal
from ..domain.units import MILLION, Duration, Probability, Timestamp, fraction, plain
from .ports import Answer


@dataclass(frozen=True, slots=True)
class OrchestrationResult:
    """An answered run. `cost` is USD, None where unknown; `latency` is seconds; tokens are of all attempts."""

    response: str
    model_used: str
    cost: Decimal | None
    latency: float
    confidence: float  # 0..1
    input_tokens: int  # cached ones included
    output_tokens: int  # reasoning included
    strategy: str
    fallback_chain: list[str]  # the models called, in order
    ensemble_models: list[str]
    metadata: dict[str, Any] = field(default_factory=dict)
    timestamp: str = ""  # ISO 8601, UTC
    run_id: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The fields for JSON; the cost as a plain decimal string."""
        return {**asdict(self), "cost": None if self.cost is None else plain(self.cost)}


def result_of(
    run: Run,
    answer: Answer,
    *,
    started_at: Timestamp,
    latency: Duration,
    justification: str | None = None,
    is_repeat: bool = False,
) -> OrchestrationResult:
    """The result of a completed run; a repeat is one that was asked before, under the same idempotency key."""
    assert run.started is not None, "a completed run was started"
    assert isinstance(run.ended, RunCompleted), "only a completed run has a result"
    usages = [attempt.outcome.usage for attempt in run.attempts if isinstance(attempt.outcome, ModelCalled)]
    return OrchestrationResult(
        response=answer.text,
        model_used=run.model or "",
        cost=run.ended.cost,
        latency=latency / MILLION,
        confidence=fraction(run.ended.confidence),
        input_tokens=sum(usage.input_tokens for usage in usages if usage),
        output_tokens=sum(usage.output_tokens for usage in usages if usage),
        strategy=run.started.strategy,
        fallback_chain=[one.model for one in run.attempts if one.started.purpose is not Purpose.JUDGE],
        ensemble_models=_members(run),
        metadata=_metadata(run, answer) | {"justification": justification, "repeat": is_repeat},
        timestamp=datetime.fromtimestamp(started_at / MILLION, UTC).isoformat(),
        run_id=run.id,
    )


def _members(run: Run) -> list[str]:
    """The models whose answers became one."""
    if run.synthesis is None or run.routing is None or run.routing.strategy != "ensemble":
        return []
    return [run.attempt(one.attempt).model for one in run.synthesis.members]


def _metadata(run: Run, answer: Answer) -> dict[str, Any]:
    assert run.assessment is not None
    assert run.routing is not None
    assert isinstance(run.ended, RunCompleted)
    scored = run.attempt(run.ended.attempt).confidence if run.ended.attempt is not None else None
    return {
        "simulated": answer.money is Money.SIMULATED,
        "money": answer.money.value,
        "task_type": run.assessment.task_type.value,
        "capability": run.assessment.capability.value,
        "prompt_signals": dict(run.assessment.signals),
        "policy": run.routing.policy,
        "candidates": candidate_dicts(run.routing),
        "exploration": exploration_dict(run.routing.exploration),
        "excluded": [{"model": one.model, "reason": exclusion_text(one)} for one in run.routing.excluded],
        "attempts": [attempt_dict(attempt) for attempt in run.attempts],
        "warnings": warnings(run),
        "signals": dict(scored.signals) if scored else {},
        "scorer": scored.scorer if scored else None,
        "strategy": run.routing.strategy,
        "strategy_reason": run.routing.reason,
        "stop_reason": run.ended.stop_reason.value,
        "cached": _cached(run.cached),
        "threshold": None if run.routing.threshold is None else fraction(run.routing.threshold),
        "escalations": [_escalation(one) for one in run.escalations],
        **synthesis_dict(run),
        "tool_calls": [asdict(call) for call in answer.tool_calls],
        "finish_reason": answer.finish_reason.value,
        "usage": None if answer.usage is None else usage_dict(answer.usage),
    }


def usage_dict(usage: Usage) -> dict[str, int]:
    """One call's tokens for JSON: `input_tokens` includes what a cache held or took, `output_tokens` the reasoning."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "reasoning": usage.reasoning,
    }


def synthesis_dict(run: Run) -> dict[str, Any]:
    """How several answers became one; `agreement` is null where nothing was compared."""
    synthesis = run.synthesis
    return {
        "method": synthesis.method.value if synthesis else None,
        "members": [
            {"attempt": one.attempt, "model": run.attempt(one.attempt).model, "score": fraction(one.score)}
            for one in (synthesis.members if synthesis else ())
        ],
        "agreement": fraction(synthesis.agreement) if synthesis and synthesis.agreement is not None else None,
        "dissent": [run.attempt(number).model for number in synthesis.dissent] if synthesis else [],
    }


def candidate_dicts(routing: RoutingDecided) -> list[dict[str, Any]]:
    """The candidates for JSON, the best first: USD as text, and the predicted success, null where none is known."""
    success = predicted(routing.forecast)
    return [
        {
            "model": one.model,
            "expected_cost": None if one.expected_cost is None else plain(one.expected_cost),
            "success": fraction(success[one.model]) if one.model in success else None,
        }
        for one in routing.candidates
    ]


def exploration_dict(one: Exploration | None) -> dict[str, Any] | None:
    """What was drawn; null where nothing was."""
    if one is None:
        return None
    propensities = {share.model: fraction(share.probability) for share in one.propensities}
    return {"epsilon": fraction(one.epsilon), "draw": fraction(one.draw), "propensities": propensities}


def _cached(one: AnsweredFromCache | None) -> dict[str, Any] | None:
    """Whose answer was given again, and the USD that saved; null where it was asked for."""
    if one is None:
        return None
    return {"run": one.run, "attempt": one.attempt, "saved": None if one.saved is None else plain(one.saved)}


def _escalation(one: Escalated) -> dict[str, Any]:
    """A step of a chain; the confidence is that of the answer left behind, null where there was none."""
    return {
        "from": one.from_model,
        "to": one.to_model,
        "reason": one.reason.value,
        "confidence": None if one.confidence is None else fraction(one.confidence),
    }


def rescored_dict(event: RunRescored) -> dict[str, Any]:
    """A new score for JSON."""
    signals = {name: fraction(Probability(value)) for name, value in event.signals.items()}
    about = {"attempt": event.attempt, "score": fraction(event.score), "signals": signals}
    return {**about, "scorer": event.scorer, "by": event.by, "judged_in": event.judged_in}


def attempt_dict(attempt: Attempt) -> dict[str, Any]:
    """One attempt for JSON: amounts as decimal strings, times in seconds, null where unknown."""
    outcome, cost = attempt.outcome, attempt.cost
    return {
        "attempt": attempt.number,
        "model": attempt.model,
        "provider": attempt.started.provider,
        "status": attempt.status.value,
        "error": attempt.error and attempt.error.value,
        "cost": None if cost is None or cost.amount is None else plain(cost.amount),
        "estimated": bool(cost and cost.estimated),
        "latency": None if outcome is None or outcome.latency is None else outcome.latency / MILLION,
        "purpose": attempt.started.purpose.value,
        "confidence": attempt.confidence and fraction(attempt.confidence.score),
        "scorer": attempt.confidence and attempt.confidence.scorer,
    }


def plan_warnings(assessment: PromptAssessed, routing: RoutingDecided) -> list[str]:
    """Where the plan is less than was wanted: no usable model reaches the prompt's class, or money left models out."""
    said = []
    if routing.capability.rank < assessment.capability.rank:
        said.append(f"the prompt needs {assessment.capability}; no usable model is above {routing.capability}")
    if routing.plan and routing.strategy != "cheapest" and (names := left_out_for_money(routing)):
        said.append(f"the limit leaves too little for {', '.join(names)}: not asked")
    return said


def warnings(run: Run) -> list[str]:
    """What a caller should know of a run that went other than asked."""
    said = plan_warnings(run.assessment, run.routing) if run.assessment and run.routing else []
    for attempt in run.attempts:
        if attempt.cost and attempt.cost.estimated:
            said.append(f"{attempt.model} did not say its usage: its cost is the most the call could cost")
        if attempt.cost and attempt.cost.amount is None:
            said.append(f"{attempt.model} has no price: the cost is unknown")
        if isinstance(attempt.outcome, ModelCalled) and attempt.outcome.finish_reason is FinishReason.LENGTH:
            said.append(f"the answer of {attempt.model} was cut at {attempt.started.max_output_tokens} tokens")
    return said + _unjudged(run)


def _unjudged(run: Run) -> list[str]:
    """The answers that the judge asked for gave no score; a refusal is not judged."""
    judge = run.started.settings.judge if run.started else None
    scored = [(one.model, one.confidence.scorer) for one in run.attempts if one.confidence and not is_refusal(one)]
    return [
        f"the judge {judge} gave no score of {model}'s answer: its confidence is by {scorer}"
        for model, scorer in scored
        if judge is not None and scorer != judge_scorer(judge)
    ]
