"""A run as OpenTelemetry's GenAI conventions name it: attributes of the run, of its calls, and of what went wrong.

Ids, enums, labels and numbers only: no text of a person, a model or a provider is ever read here. Source: the semantic
conventions for generative AI, spans, agent spans and metrics, as of 2026-11 (status: development).
"""

from __future__ import annotations

from typing import Any

from ...application.world import money_of
from ...domain.events import AttemptFailed, AttemptLost, Escalated, ModelCalled, RunCompleted, RunFailed
from ...domain.run import Attempt, Run
from ...domain.units import MILLION, fraction

OURS = "model_orchestrator."
Attributes = dict[str, Any]


def run_name(run: Run) -> str:
    """The name of its span."""
    return "invoke_workflow" if run.started is None else f"invoke_workflow {run.started.strategy}"


def run_attributes(run: Run) -> Attributes:
    """What is known of a run; what is not is left out."""
    started = run.started
    answered_by = run.ended.attempt if isinstance(run.ended, RunCompleted) else None
    winner = next((one for one in run.attempts if one.number == answered_by), None)
    usages = [one.outcome.usage for one in run.attempts if isinstance(one.outcome, ModelCalled) and one.outcome.usage]
    ended = run.ended
    found: Attributes = {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": started and started.strategy,
        "gen_ai.usage.input_tokens": sum(one.input_tokens for one in usages) if usages else None,
        "gen_ai.usage.output_tokens": sum(one.output_tokens for one in usages) if usages else None,
        OURS + "run.id": run.id,
        OURS + "run.status": run.status.value,
        OURS + "strategy": run.routing.strategy if run.routing else started and started.strategy,
        OURS + "category": started and started.category,
        OURS + "money": started and money_of(started.provider).value,
        OURS + "attempts": len(run.attempts),
        OURS + "escalations": len(run.escalations),
        OURS + "cached": run.cached is not None,
        OURS + "confidence": fraction(ended.confidence) if isinstance(ended, RunCompleted) else None,
        OURS + "cost_usd": None if ended is None or ended.cost is None else float(ended.cost),
        "error.type": ended.kind.value if isinstance(ended, RunFailed) else None,
    }
    return _known(found | (_answered(winner) if winner else {}))


def call_name(attempt: Attempt) -> str:
    """The name of its span."""
    return f"chat {attempt.started.api_id}"


def call_attributes(attempt: Attempt) -> Attributes:
    """What is known of a call."""
    started, outcome = attempt.started, attempt.outcome
    usage = outcome.usage if isinstance(outcome, ModelCalled) else None
    found: Attributes = {
        **_answered(attempt),
        "gen_ai.operation.name": "chat",
        "gen_ai.request.max_tokens": started.max_output_tokens,
        OURS + "provider_request_id": outcome.provider_request_id if outcome else None,
        "http.response.status_code": outcome.status if isinstance(outcome, AttemptFailed | AttemptLost) else None,
        "error.type": attempt.error and attempt.error.value,
        OURS + "attempt": attempt.number,
        OURS + "model": started.model,
        OURS + "purpose": started.purpose.value,
        OURS + "outcome": attempt.status.value,
        OURS + "confidence": fraction(attempt.confidence.score) if attempt.confidence else None,
        OURS + "cost_usd": None if attempt.spent is None else float(attempt.spent),
        OURS + "money": attempt.cost and attempt.cost.money.value,
    }
    if isinstance(outcome, ModelCalled) and outcome.first_token is not None:
        found["gen_ai.response.time_to_first_chunk"] = outcome.first_token / MILLION
    if usage is not None:
        found |= {
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
            "gen_ai.usage.cache_creation.input_tokens": usage.cache_write,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
        }
    return _known(found)


def measured(attempt: Attempt, money: str | None) -> Attributes:
    """What a call's metrics are kept apart by."""
    outcome = attempt.outcome
    found: Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": attempt.started.provider,
        "gen_ai.request.model": attempt.started.api_id,
        "gen_ai.response.model": outcome.response_model if isinstance(outcome, ModelCalled) else None,
        "error.type": attempt.error and attempt.error.value,
        OURS + "money": attempt.cost.money.value if attempt.cost else money,
    }
    return _known(found)


def escalation_attributes(event: Escalated) -> Attributes:
    """A chain that moved on, as an event of the run's span."""
    found: Attributes = {
        OURS + "from_model": event.from_model,
        OURS + "to_model": event.to_model,
        OURS + "reason": event.reason.value,
        OURS + "confidence": None if event.confidence is None else fraction(event.confidence),
        OURS + "threshold": None if event.threshold is None else fraction(event.threshold),
    }
    return _known(found)


def exception_attributes(event: RunFailed | AttemptFailed | AttemptLost) -> Attributes:
    """What went wrong, by our own words for it."""
    status = getattr(event, "status", None)
    told = event.kind.value if status is None else f"{event.kind.value} (HTTP {status})"
    return {"exception.type": type(event).__name__, "exception.message": told}


def _answered(attempt: Attempt) -> Attributes:
    """Who was asked, and who answered how."""
    outcome = attempt.outcome
    called = outcome if isinstance(outcome, ModelCalled) else None
    return {
        "gen_ai.provider.name": attempt.started.provider,
        "gen_ai.request.model": attempt.started.api_id,
        "gen_ai.response.model": called and called.response_model,
        "gen_ai.response.finish_reasons": called and (called.finish_reason.value,),
    }


def _known(found: Attributes) -> Attributes:
    return {name: value for name, value in found.items() if value is not None}
