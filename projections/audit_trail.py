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
    FeedbackGiven,
    Hold,
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
    RunRescored,
    RunStarted,
    Synthesized,
)
from ..domain.exclusions import exclusion_text
from ..domain.forecast import predicted
from ..domain.units import MILLION, Timestamp, Usd, fraction, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry:
    """One line of the timeline."""

    version: int
    recorded_at: Timestamp
    type: str
    says: str
    attempt: int | None  # which call it is about
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
            attempt=None if isinstance(event, AnsweredFromCache | RunCompleted) else getattr(event, "attempt", None),
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
            billed = "billed all the same" if event.billed else "not billed"
            return f"attempt {event.attempt} failed: {event.kind}{_status(event.status)}, {billed}{again}"
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
        case RunRescored():
            return f"attempt {event.attempt}: confidence {fraction(event.score):.2f} by {event.scorer}{_judged(event)}"
        case FeedbackGiven():
            whose = "the answer" if event.attempt is None else f"attempt {event.attempt}"
            return (
                f"{whose} is right to {fraction(event.value):.2f}, says {event.by}{', with a note' * bool(event.note)}"
            )
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
    """Why: what was asked for, signals, candidates and exclusions, and the money in the way."""
    match event:
        case RunStarted():
            yield from _asked(event)
        case PromptAssessed() | ConfidenceScored() | RunRescored():
            for name, value in event.signals.items():
                yield f"{name} {value / MILLION:.2f}"
        case RoutingDecided():
            yield from _decided(event)
        case AttemptStarted():
            yield from map(_held, event.hold)
        case Synthesized():
            for member in event.members:
                yield f"attempt {member.attempt} scores {fraction(member.score):.2f}"
        case RunFailed() if event.needed is not None:
            yield f"{_usd(event.needed)} would have been enough"


def _judged(event: RunRescored) -> str:
    return "" if event.judged_in is None else f" in {event.judged_in}"


def _asked(event: RunStarted) -> Iterator[str]:
    settings = event.settings
    if event.tags:
        yield f"tags {', '.join(f'{key}={value}' for key, value in sorted(event.tags.items()))}"
    if event.max_cost is not None:
        yield f"may cost {_usd(event.max_cost)}"
    for name, value in (("model", settings.model), ("provider", settings.provider), ("judge", settings.judge)):
        if value is not None:
            yield f"{name} {value} was asked for"
    for name, models in (("chain", settings.chain), ("panel", settings.members)):
        if models:
            yield f"{name} {', '.join(models)} was asked for"


def _decided(event: RoutingDecided) -> Iterator[str]:
    yield f"strategy {event.strategy}: {event.reason}"
    yield from (_planned(call) for call in event.plan)
    yield from map(_held, event.holds)
    success = predicted(event.forecast)
    for candidate in event.candidates:
        likely = f", right with {fraction(success[candidate.model]):.2f}" if candidate.model in success else ""
        yield f"candidate {candidate.model}: expected {_usd(candidate.expected_cost)}{likely}"
    yield from _learned(event)
    for one in event.excluded:
        yield f"excluded {one.model}: {exclusion_text(one)}"
    for budget in event.headroom:
        yield (
            f"budget {budget.scope} ({budget.period}) of {_usd(budget.limit)}: {_usd(budget.settled)} spent, "
            f"{_usd(budget.held)} held"
        )
    if event.dropped:
        yield f"left out for the budget: {', '.join(event.dropped)}"
    if event.needed is not None:
        yield f"{_usd(event.needed)} would let a plan through"


def _learned(event: RoutingDecided) -> Iterator[str]:
    """What weights said, and what was drawn."""
    if event.forecast is not None:
        yield f"target {fraction(event.forecast.target):.2f} by weights {event.forecast.weights}"
        unknown = [one.model for one in event.forecast.predictions if one.success is None]
        if unknown:
            yield f"by class, for the weights do not know them: {', '.join(unknown)}"
    if event.exploration is not None:
        one = event.exploration
        yield f"explores {fraction(one.epsilon):.2f}, drew {fraction(one.draw):.6f}"
        for share in one.propensities:
            yield f"propensity {share.model} {fraction(share.probability):.6f}"


def _held(hold: Hold) -> str:
    return f"holds {_usd(hold.amount)} of budget {hold.scope} ({hold.period})"


def _planned(call: PlannedCall) -> str:
    return (
        f"plan {call.model}: {_usd(call.min_cost)} to {_usd(call.max_cost)}, up to {call.max_output_tokens} tokens out"
    )


def _status(status: int | None) -> str:
    return f" (HTTP {status})" if status else ""


def _usd(amount: Usd | None) -> str:
    return "an unknown cost" if amount is None else f"${plain(amount)}"
