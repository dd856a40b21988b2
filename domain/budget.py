"""Money that may still be spent: what a plan can cost at most, what is held for it, and what is left of a limit.

A hold is never less than what may yet be billed: the calls under way, those whose outcome is unknown, and those the
plan may still make, up to what is left of the run's own limit. After each outcome it shrinks to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from .events import (
    AttemptFailed,
    AttemptReconciled,
    CostIncurred,
    Hold,
    PlannedCall,
    RunCancelled,
    RunCompleted,
    RunEvent,
    RunFailed,
    Settlement,
)
from .pricing import EXACT, PriceCard, worst_cost
from .run import Attempt, AttemptStatus, Held, Run, evolve
from .units import Usd, plain

NOTHING = Usd(0)
Settlements = tuple[Settlement, ...]


def affordable_output(card: PriceCard, *, input_tokens: int, limit: Usd, wanted: int) -> int:
    """The most output tokens, up to `wanted`, with which the worst cost still fits `limit`; -1 where none does."""
    if worst_cost(card, input_tokens=input_tokens, output_tokens=wanted) <= limit:
        return wanted
    low, high = -1, wanted  # low fits (or nothing does), high does not: the cost never falls as output grows
    while high - low > 1:
        middle = (low + high) // 2
        if worst_cost(card, input_tokens=input_tokens, output_tokens=middle) <= limit:
            low = middle
        else:
            high = middle
    return low


def total(amounts: Iterable[Usd | None]) -> Usd:
    """The exact sum; None counts as nothing."""
    result = Decimal(0)
    for amount in amounts:
        result = EXACT.add(result, amount or NOTHING)
    return Usd(plain(result))


def less(amount: Usd, other: Usd) -> Usd:
    """The exact difference."""
    return Usd(plain(EXACT.subtract(amount, other)))


def fits_what_is_left(run: Run, call: PlannedCall) -> bool:
    """Whether the call's worst price fits what the run's own limit leaves."""
    left = left_of_limit(run)
    return left is None or (call.max_cost is not None and call.max_cost <= left)


def left_of_limit(run: Run) -> Usd | None:
    """USD of the run's limit that nothing has a claim on; None without a limit."""
    limit = run.started.max_cost if run.started else None
    if limit is None:
        return None
    return less(limit, total((run.spent, *(_claim(attempt) for attempt in run.attempts))))


def concerns(scope: str, model: str) -> bool:
    """Whether money spent on the model counts in the scope; only a model's own scope asks."""
    return not scope.startswith("model:") or scope == f"model:{model}"


def is_in_scope(scope: str, category: str, tags: Mapping[str, str], owner: str) -> bool:
    """Whether such a run can spend in the scope; a model's own is seen call by call."""
    mine = {"global", f"category:{category}", key_scope(owner), *(f"tag:{key}={value}" for key, value in tags.items())}
    return scope in mine or scope.startswith("model:")


def key_scope(owner: str) -> str:
    """The scope of what a key's name asks; `key:local`: of what is asked without a key."""
    return f"key:{owner}"


def plan_hold(scope: str, plan: Iterable[PlannedCall], limit: Usd | None) -> Usd:
    """The most the plan can spend in the scope: every call once, up to the run's own limit."""
    worst = total(call.max_cost for call in plan if concerns(scope, call.model))
    return worst if limit is None else min(worst, limit)


def own_hold(run: Run, call: PlannedCall) -> tuple[Hold, ...]:
    """What one more attempt at a call holds by itself, in every budget that holds the plan."""
    if call.max_cost is None or run.routing is None:
        return ()
    return tuple(
        Hold(scope=hold.scope, period=hold.period, amount=call.max_cost)
        for hold in run.routing.holds
        if concerns(hold.scope, call.model)
    )


def reserve(run: Run, scope: str) -> Usd:
    """What must stay held in the scope: lost and open attempts, and the calls that may still be made.

    All together never come to more than the run's own limit leaves; an open attempt may turn out to cost nothing and
    leave its share to a later call, so it is not taken off first.
    """
    claims = total(_claim(one) for one in run.attempts if concerns(scope, one.model))
    if run.ended or run.routing is None:
        return claims
    possible = total(
        call.max_cost
        for index, call in enumerate(run.routing.plan)
        if concerns(scope, call.model) and _may_still_be_made(run, index)
    )
    limit = run.started.max_cost if run.started else None
    most = total((claims, possible))
    return most if limit is None else max(claims, min(most, less(limit, run.spent)))


def settlements(before: Run, after: Run, *, spent: Usd = NOTHING, attempt: Attempt | None = None) -> Settlements:
    """How the holds shrink from one state of a run to the next, in which `attempt` cost `spent`.

    An amount settles on the hold it was spent from: the attempt's own where it has one, else the plan's.
    """
    changes: list[Settlement] = []
    for scope, period in dict.fromkeys((held.scope, held.period) for held in before.held):
        holds = [held for held in before.held if (held.scope, held.period) == (scope, period)]
        concerned = attempt is not None and concerns(scope, attempt.model)
        gone = spent if concerned else NOTHING
        payer = _payer(holds, attempt if concerned else None)
        freed = max(NOTHING, less(total(held.amount for held in holds), reserve(after, scope)))
        for held in sorted(holds, key=lambda one: one is not payer):
            part = min(freed, held.amount)
            freed = less(freed, part)
            paid = gone if held is payer else NOTHING
            if part or paid:
                changes.append(Settlement(scope=scope, period=period, held_by=held.version, held=part, spent=paid))
    return tuple(changes)


def settled(run: Run, event: RunEvent) -> RunEvent:
    """The event with what it does to the run's holds: each shrinks to what may still be billed."""
    if not run.held:
        return event
    match event:
        case CostIncurred() | AttemptReconciled():
            after, known = evolve(run, replace(event, settles=())), run.attempt(event.attempt)
            spent = less(after.attempt(event.attempt).spent or NOTHING, known.spent or NOTHING)  # settled before: less
            return replace(event, settles=settlements(run, after, spent=spent, attempt=known))
        case AttemptFailed():
            return replace(event, settles=settlements(run, evolve(run, replace(event, settles=()))))
        case RunCompleted() | RunFailed() | RunCancelled():
            return replace(event, released=settlements(run, evolve(run, replace(event, released=()))))
        case _:
            return event


def _payer(holds: list[Held], attempt: Attempt | None) -> Held:
    """The hold an attempt's money comes from."""
    own = [held for held in holds if attempt is not None and held.attempt == attempt.number]
    return own[0] if own else holds[0]


def _claim(attempt: Attempt) -> Usd:
    """What an attempt may yet be billed: its worst price, until that is known."""
    if attempt.status in (AttemptStatus.OPEN, AttemptStatus.LOST, AttemptStatus.ANSWERED) and not attempt.is_settled:
        return attempt.started.max_cost or NOTHING
    return NOTHING


def _may_still_be_made(run: Run, index: int) -> bool:
    """Whether the plan can still make call `index`: it was not passed, and not answered, lost or under way."""
    attempts = run.of_call(index)
    judged = run.routing.plan[index].scores if run.routing else None
    if judged is not None and not _may_still_be_scored(run, judged):
        return False
    stage = index if judged is None else judged
    if not attempts:
        return stage >= run.stage
    outcome = attempts[-1].outcome
    return isinstance(outcome, AttemptFailed) and outcome.retry_in is not None and stage >= run.stage


def _may_still_be_scored(run: Run, index: int) -> bool:
    """Whether the call has an answer without a score, or may still get one; the outcome of a lost one may come late."""
    attempts = run.of_call(index)
    if not attempts or attempts[-1].status is AttemptStatus.FAILED:
        return _may_still_be_made(run, index)
    return attempts[-1].confidence is None
