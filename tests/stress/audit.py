"""What the log says of the money, held against the balances and against the provider's own books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from model_orchestrator.application.ports import Balance, EventStore, RunLog
from model_orchestrator.application.resume import survey
from model_orchestrator.application.runs import PAGE, RUN_PREFIX, LoggedRun, load_run
from model_orchestrator.domain.budget import NOTHING, concerns, less, total
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import (
    AttemptFailed,
    AttemptStarted,
    CostIncurred,
    Hold,
    ModelCalled,
    RoutingDecided,
    RunEvent,
    RunFailed,
    Settlement,
)
from model_orchestrator.domain.run import Attempt, AttemptStatus, Run
from model_orchestrator.domain.units import Usd, usd
from model_orchestrator.infrastructure.store.verify import verify_log

from .upstream import Ledger

Limits = Mapping[str, Usd]


@dataclass(slots=True)
class Audit:
    """One round's figures. USD; `problems` is empty where no money leaked."""

    figures: dict[str, int | Usd] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> None:
        """Note a problem where it does not hold."""
        if not holds:
            self.problems.append(what)


async def audit(store: EventStore, log: RunLog, ledger: Ledger, *, calls: int, limits: Limits) -> Audit:
    """The figures, after everything was resumed. `calls` is the provider's own count; `limits` are by scope, in USD."""
    found = await survey(store)
    runs = [await load_run(log, run_id) for run_id in await _run_ids(store)]
    attempts = [attempt for logged in runs for attempt in logged.run.attempts]
    balances = {one.scope: one for one in await store.balances()}
    lost = [one for one in attempts if one.status is AttemptStatus.LOST and not one.is_settled]
    done = Audit(_figures(runs, attempts, lost, ledger, calls=calls))
    for scope, limit in limits.items():
        _add_figures(done.figures, balances[scope], ledger, limit)
        _check_money(done, runs, lost, balances[scope], ledger, limit)
    over = total(max(NOTHING, less(ledger.total(scope), limit)) for scope, limit in limits.items())
    done.figures["overshoot"] = over
    for logged in runs:
        for problem in _run_problems(logged, ledger):
            done.problems.append(f"{logged.run.id}: {problem}")
    done.expect(calls <= len(attempts), f"{calls} calls of {len(attempts)} attempts: one was sent unrecorded")
    done.expect(not found.running, f"still running: {list(found.running)}")
    done.expect(not found.open_attempts, f"still open: {found.open_attempts}")
    done.problems += await verify_log(store)
    return done


def _figures(
    runs: Sequence[LoggedRun],
    attempts: Sequence[Attempt],
    lost: Sequence[Attempt],
    ledger: Ledger,
    *,
    calls: int,
) -> dict[str, int | Usd]:
    status = Counter(_ended(logged.run) for logged in runs)
    return {
        "runs": len(runs),
        **{name: status[name] for name in ("completed", "failed", "refused", "cancelled", "running")},
        "plans that a budget cut or refused": sum(bool(one.run.routing and one.run.routing.headroom) for one in runs),
        "runs taken over": sum(logged.run.claim is not None for logged in runs),
        "attempts": len(attempts),
        "calls, by the provider's count": calls,
        "billed calls": len(ledger.bills),
        "lost attempts": len(lost),
    }


def _add_figures(figures: dict[str, int | Usd], balance: Balance, ledger: Ledger, limit: Usd) -> None:
    figures |= {
        f"{balance.scope}: limit": limit,
        f"{balance.scope}: billed": ledger.total(balance.scope),
        f"{balance.scope}: settled": usd(balance.settled),
        f"{balance.scope}: held": usd(balance.held),
    }


def _ended(run: Run) -> str:
    refused = isinstance(run.ended, RunFailed) and run.ended.kind is ErrorKind.BUDGET and not run.attempts
    return "refused" if refused else run.status.value


def _check_money(
    done: Audit, runs: Sequence[LoggedRun], lost: Sequence[Attempt], balance: Balance, ledger: Ledger, limit: Usd
) -> None:
    """The budget is a cap; what is held belongs to lost attempts; the balances are what the events say."""
    scope, settled, held, billed = balance.scope, usd(balance.settled), usd(balance.held), ledger.total(balance.scope)
    done.expect(billed <= limit, f"{scope}: overshoot: the provider billed {billed} under a limit of {limit}")
    done.expect(settled + held <= limit, f"{scope}: settled {settled} and held {held} are above the limit of {limit}")
    done.expect(billed <= settled + held, f"{scope}: {billed} was billed, {settled} settled and {held} held")
    at_most = total(one.started.max_cost for one in lost if concerns(scope, one.model))
    done.expect(held == at_most, f"{scope}: {held} is held, lost attempts can cost {at_most}")
    events = [entry.event for logged in runs for entry in logged.events]
    holds = total(one.amount for event in events for one in _holds(event) if one.scope == scope)
    settlements = [one for event in events for one in _settlements(event) if one.scope == scope]
    left, spent = less(holds, total(one.held for one in settlements)), total(one.spent for one in settlements)
    done.expect(left == held, f"{scope}: the events hold {left}, the balance {held}")
    done.expect(spent == settled, f"{scope}: the events settle {spent}, the balance {settled}")
    attempts = [one for logged in runs for one in logged.run.attempts if concerns(scope, one.model)]
    known = total(one.spent for one in attempts)
    done.expect(spent == known, f"{scope}: the events settle {spent}, the attempts cost {known}")


def _run_problems(logged: LoggedRun, ledger: Ledger) -> Iterator[str]:
    """What of a run's attempts does not agree with the provider's books."""
    costs = Counter(entry.event.attempt for entry in logged.events if isinstance(entry.event, CostIncurred))
    for attempt in logged.run.attempts:
        name, outcome = f"attempt {attempt.number}", attempt.outcome
        if costs[attempt.number] != isinstance(outcome, ModelCalled):
            yield f"{name} is {attempt.status.value} and has {costs[attempt.number]} costs"
        if isinstance(outcome, ModelCalled) and attempt.cost is not None:
            bill, amount = ledger.bills.get(outcome.provider_request_id or ""), attempt.cost.amount
            if bill is None or amount is None:
                yield f"{name} is answered, and nobody billed it"
            elif bill != amount and not (attempt.cost.estimated and bill <= amount):
                yield f"{name} was billed {bill} and settled at {amount}"
            if sum(one.spent for one in attempt.cost.settles if one.scope == "global") != amount:
                yield f"{name} cost {amount} and settled {attempt.cost.settles}"
        if isinstance(outcome, AttemptFailed) and outcome.provider_request_id in ledger.bills:
            yield f"{name} was billed, and counts as failed"


def _holds(event: RunEvent) -> tuple[Hold, ...]:
    if isinstance(event, RoutingDecided):
        return event.holds
    return event.hold if isinstance(event, AttemptStarted) else ()


def _settlements(event: RunEvent) -> tuple[Settlement, ...]:
    found: tuple[Settlement, ...] = getattr(event, "settles", ()) + getattr(event, "released", ())
    return found


async def _run_ids(store: EventStore) -> list[str]:
    found: list[str] = []
    after = 0
    while page := await store.read_all(after=after, limit=PAGE, types=("RunStarted",), stream_prefix=RUN_PREFIX):
        found += [entry.stream for entry in page]
        after = page[-1].position
    return found
