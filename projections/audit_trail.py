"""The audit trail: a run as a readable timeline, each event with what it says, what it cost and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from ..domain.events import (
    AnsweredFromCache,
    AttemptFailed,
    AttemptLost,
    AttemptReconciled,
    AttemptStarted,
    ConfidenceScored,
    CostIncurred,
    Escalated,
    ModelCalled,
    Money,
    PlannedCall,
    PromptAssessed,
    Purpose,
    RetryRefused,
    RoutingDecided,
    RunCancelled,
    RunClaimed,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunStarted,
    Synthesized,
)
from ..domain.exclusions import exclusion_text
from ..domain.units import MILLION, Timestamp, Usd, fraction, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry:
    """One line of the timeline."""

    version: int
    recorded_at: Timestamp
    type: str
    says: str
    cost: Usd | None  # USD, of a CostIncurred with a known amount
    details: tuple[str, ...] = ()  # the why, a line each


def trail(events: Iterable[tuple[int, Timestamp, RunEvent]]) -> Iterator[TrailEntry]:
    """The timeline of (version, recorded_at, event)."""
    for version, recorded_at, event in events:
        yield TrailEntry(
            version=version,
            recorded_at=recorded_at,
            type=type(event).__name__,
            says=_says(event),
            cost=event.amount if isinstance(event, CostIncurred) else None,
            details=tuple(_details(event)),
        )


def _says(event: RunEvent) -> str:
    match event:
        case RunStarted():
            return f"{event.strategy}, category {event.category}, {event.provider} models"
        case RunClaimed():
            return f"taken over by {event.worker} as epoch {event.epoch}"
        case PromptAssessed():
            return f"needs {event.capability} ({event.task_type}), sure to {fraction(event.confidence):.2f}"
        case RoutingDecided():
            return "ask " + ", then ".join(call.model for call in event.plan) if event.plan else "no model can be asked"
        case AttemptStarted():
            purpose = "" if event.purpose is Purpose.ANSWER else f" as {event.purpose}"
            return f"attempt {event.attempt}: {event.model} ({event.provider}){purpose}, at most {_usd(event.max_cost)}"
        case ModelCalled():
            return _called(event)
        case AttemptFailed():
            again = "" if event.retry_in is None else f", again in {event.retry_in / MILLION:.1f} s"
            return f"attempt {event.attempt} failed: {event.kind}{_status(event.status)}, not billed{again}"
        case AttemptLost():
            return f"attempt {event.attempt} lost: {event.kind}{_status(event.status)}, whether billed is unknown"
        case RetryRefused():
            budget = f"budget {event.headroom.scope} ({event.headroom.period})"
            return f"attempt {event.attempt} is not made again: the {budget} has no room for {_usd(event.needed)}"
        case AttemptReconciled():
            return f"attempt {event.attempt} cost {_usd(event.amount)}: {event.evidence} by {event.by}"
        case CostIncurred():
            return _incurred(event)
        case ConfidenceScored():
            return f"attempt {event.attempt}: confidence {fraction(event.score):.2f} by {event.scorer}"
        case Escalated():
            return f"from {event.from_model} to {event.to_model}: {_why(event)}"
        case Synthesized():
            return _synthesized(event)
        case AnsweredFromCache():
            return f"the answer {event.model} gave in {event.run}, saving {_usd(event.saved)}"
        case RunCompleted():
            source = "the cache" if event.attempt is None else f"attempt {event.attempt}"
            return f"answer of {source} ({event.stop_reason}), {_usd(event.cost)} in all"
        case RunFailed():
            return f"no answer: {event.kind}, {_usd(event.cost)} in all"
        case RunCancelled():
            return f"by {event.by}, {_usd(event.cost)} in all"
    assert_never(event)


def _why(event: Escalated) -> str:
    if event.confidence is None or event.threshold is None:
        return event.reason.value
    return f"confidence {fraction(event.confidence):.2f} is below {fraction(event.threshold):.2f}"


def _synthesized(event: Synthesized) -> str:
    agreement = "nothing comparable" if event.agreement is None else f"{fraction(event.agreement):.0%} agree"
    stands = "no answer stands yet" if event.chosen is None else f"attempt {event.chosen} stands"
    dissent = f", against it {', '.join(map(str, event.dissent))}" if event.dissent else ""
    members = ", ".join(str(one.attempt) for one in event.members)
    return f"{event.method} over attempts {members}: {agreement}, {stands}{dissent}"


def _called(event: ModelCalled) -> str:
    usage = event.usage
    tokens = f"{usage.input_tokens} tokens in, {usage.output_tokens} out" if usage else "usage not said"
    served = f" by {event.response_model}" if event.response_model else ""
    return f"attempt {event.attempt} answered{served}: {tokens}, {event.latency / MILLION:.2f} s, {event.finish_reason}"


def _incurred(event: CostIncurred) -> str:
    notes = [event.price_card or "no price"]
    if event.estimated:
        notes.append("estimated: the most it could cost")
    if event.money is not Money.REAL:
        notes.append(f"{event.money} money")
    return f"attempt {event.attempt}: {_usd(event.amount)} ({', '.join(notes)})"


def _details(event: RunEvent) -> Iterator[str]:
    """Why: signals, candidates and exclusions."""
    match event:
        case PromptAssessed() | ConfidenceScored():
            for name, value in event.signals.items():
                yield f"{name} {value / MILLION:.2f}"
        case RoutingDecided():
            yield from (_planned(call) for call in event.plan)
            for candidate in event.candidates:
                yield f"candidate {candidate.model}: expected {_usd(candidate.expected_cost)}"
            for one in event.excluded:
                yield f"excluded {one.model}: {exclusion_text(one)}"


def _planned(call: PlannedCall) -> str:
    return (
        f"plan {call.model}: {_usd(call.min_cost)} to {_usd(call.max_cost)}, up to {call.max_output_tokens} tokens out"
    )


def _status(status: int | None) -> str:
    return f" (HTTP {status})" if status else ""


def _usd(amount: Usd | None) -> str:
    return "an unknown cost" if amount is None else f"${plain(amount)}"
