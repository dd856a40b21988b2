"""Why a run has no answer, and what to do about it, in one line; never a word of the prompt or of the provider."""

from __future__ import annotations

from collections.abc import Sequence

from ..domain.errors import ErrorKind, RunFailure
from ..domain.events import (
    AttemptFailed,
    AttemptLost,
    Exclusion,
    ExclusionReason,
    Headroom,
    RoutingDecided,
    RunCancelled,
    RunCompleted,
    RunFailed,
    StrategySettings,
)
from ..domain.exclusions import exclusion_text
from ..domain.run import Attempt, AttemptStatus, Run
from ..domain.units import MILLION, Usd
from .refusals import least_refusal, refused
from .world import dataset_of

ADVICE = {
    ErrorKind.RATE_LIMITED: "rate limited: wait, or ask another model",
    ErrorKind.OVERLOADED: "overloaded: try again later, or ask another model",
    ErrorKind.TIME_OUT: "no answer in time: raise --timeout, or ask a faster model",
    ErrorKind.CONNECTION: "no connection: check the network and the base_url",
    ErrorKind.CUT: "the connection broke before the answer was whole: try again",
    ErrorKind.CONTEXT_WINDOW: "the prompt is longer than the model's context window: shorten it, or ask another model",
    ErrorKind.AUTH: "the key was refused: check it with `model-orchestrator doctor`",
    ErrorKind.QUOTA: "the account has no money left with the provider: add some there, or ask another model",
    ErrorKind.BAD_REQUEST: "the request was refused as invalid",
    ErrorKind.NOT_FOUND: "the provider knows no such model: check its api_id",
    ErrorKind.SERVER: "the provider failed: try again later",
    ErrorKind.MALFORMED: "the reply was not what the protocol says: check the base_url",
    ErrorKind.DEADLINE: "the time was up before the call could start: raise --timeout",
    ErrorKind.BUDGET: "a budget has no room for one more attempt: raise it, or settle what is lost",
    ErrorKind.CANCELLED: "cancelled",
    ErrorKind.CONTENT: "the run cannot go on: its request or an answer was not stored, or was erased",
    ErrorKind.CRASH: "the process that asked was gone before the answer came",
    ErrorKind.BREAKER: "not asked, because it failed again and again a moment ago: try again in a minute",
}

NOT_RECORDED = (
    "the data set has no answer of it to this prompt that --max-tokens and --max-cost allow: raise them, or ask "
    "another model of the set"
)
NOT_MEANT = (ExclusionReason.NOT_ASKED, ExclusionReason.PROVIDER)


def failure_of(run: Run, standing: Sequence[Headroom] = ()) -> RunFailure:
    """The error a caller gets for a run that ended without an answer. `standing`: how its budgets are now."""
    ended, started = run.ended, run.started
    if isinstance(ended, RunCompleted):
        text = f"{run.id} was answered, but its answer was not stored or was erased: ask again, with another key"
        return RunFailure(text, kind=ErrorKind.CONTENT, run_id=run.id)
    assert started is not None, "a run that ended was started"
    if isinstance(ended, RunCancelled):
        return RunFailure(f"{run.id} was cancelled by {ended.by}", kind=ErrorKind.CANCELLED, run_id=run.id)
    if ended is None:
        text = (
            f"{run.id} went over to another worker, which had reason to take this one for dead: `runs show` follows it"
        )
        return RunFailure(text, kind=ErrorKind.TAKEN_OVER, run_id=run.id)
    assert isinstance(ended, RunFailed), "only a run that ended without an answer is a failure"
    if run.routing is not None and not run.routing.plan:
        return no_plan(run.routing, started.settings, started.max_cost, run_id=run.id, standing=standing)
    lost = next((attempt for attempt in run.attempts if attempt.refused), None)
    if ended.kind is ErrorKind.BUDGET and lost is not None and lost.refused is not None:
        by_budget = {(one.scope, one.period): one for one in (*standing, lost.refused.headroom)}
        refusal = least_refusal([(lost.model, lost.refused.needed)], None, tuple(by_budget.values()))
        return refused(refusal, run.id, what="one more attempt at a lost call")
    return RunFailure(_attempt_text(run, ended.kind), kind=ended.kind, run_id=run.id)


def no_plan(
    routing: RoutingDecided,
    settings: StrategySettings,
    max_cost: Usd | None,
    *,
    run_id: str | None = None,
    standing: Sequence[Headroom] = (),
) -> RunFailure:
    """The error for a request that no usable model can take, or none within the limit."""
    if routing.needed is None:
        why = _why_none(routing.excluded, settings.model)
        return RunFailure(f"no usable model can answer: {why}", kind=ErrorKind.NO_CANDIDATE, run_id=run_id)
    by_budget = {(one.scope, one.period): one for one in (*standing, *routing.headroom)}
    priced = [(one.model, Usd(one.limit or "0")) for one in routing.excluded if one.reason is ExclusionReason.MAX_COST]
    return refused(least_refusal(priced, max_cost, tuple(by_budget.values())), run_id)


def _why_none(excluded: Sequence[Exclusion], asked: str | None) -> str:
    """The reasons, each with the models it holds for; of a model that was named, its own only."""
    by_reason: dict[str, list[str]] = {}
    for one in excluded:
        if one.reason not in NOT_MEANT and asked in (None, one.model):
            by_reason.setdefault(exclusion_text(one), []).append(one.model)
    if not by_reason:
        return "the catalogue has none for what was asked; see `model-orchestrator models list`"
    reasons = [f"{reason} ({', '.join(models)})" for reason, models in by_reason.items()]
    if any(one.reason is ExclusionReason.CONTEXT_WINDOW for one in excluded):
        reasons.append("shorten the prompt")
    return "; ".join(reasons)


def _attempt_text(run: Run, kind: ErrorKind) -> str:
    attempt = run.attempts[-1] if run.attempts else None
    where = f"{attempt.model}: " if attempt else ""
    status = _status(attempt)
    lost = attempt is not None and attempt.status is AttemptStatus.LOST
    money = "; whether it was billed is unknown" if lost else ""
    is_recorded = run.started is not None and dataset_of(run.started.provider) is not None
    advice = NOT_RECORDED if is_recorded and kind is ErrorKind.BAD_REQUEST else ADVICE.get(kind, kind.value)
    return f"{where}{advice}{status}{money}"


def _status(attempt: Attempt | None) -> str:
    outcome = attempt.outcome if attempt else None
    if not isinstance(outcome, AttemptFailed | AttemptLost):
        return ""
    notes = [f"HTTP {outcome.status}"] if outcome.status else []
    if isinstance(outcome, AttemptFailed) and outcome.retry_after:
        notes.append(f"retry after {outcome.retry_after / MILLION:g} s")
    return f" ({', '.join(notes)})" if notes else ""
