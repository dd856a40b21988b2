"""What the log says of the money, held against the balances and against the provider's own books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from model_orchestrator.application.ports import Balance, EventStore, RunLog
from model_orchestrator.application.resume import survey
from model_orchestrator.application.runs import PAGE, RUN_PREFIX, LoggedRun, load_run
from model_orchestrator.domain.budget import total
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


@dataclass(slots=True)
class Audit:
    """One round's figures. USD; `problems` is empty where no money leaked."""

    figures: dict[str, int | Usd] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def expect(self, holds: bool, what: str) -> None:
        """Note a problem where it does not hold."""
        if not holds:
            self.problems.append(what)


async def audit(store: EventStore, log: RunLog, ledger: Ledger, *, calls: int, limit: Usd) -> Audit:
    """The figures, after everything was resumed. `calls` is the provider's own count."""
    found = await survey(store)
    runs = [await load_run(log, run_id) for run_id in await _run_ids(store)]
    attempts = [attempt for logged in runs for attempt in logged.run.attempts]
    balance = next(one for one in await store.balances() if one.scope == "global")
    lost = [one for one in attempts if one.status is AttemptStatus.LOST and not one.is_settled]
    done = Audit(_figures(runs, attempts, lost, balance, ledger, calls=calls, limit=limit))
    _check_money(done, runs, lost, balance, ledger)
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
    balance: Balance,
    ledger: Ledger,
    *,
    calls: int,
    limit: Usd,
) -> dict[str, int | Usd]:
    status = Counter(_ended(logged.run) for logged in runs)
    return {
        "runs": len(runs),
        **{name: status[name] for name in ("completed", "failed", "refused", "cancelled", "running")},
        "runs taken over": sum(logged.run.claim is not None for logged in runs),
        "attempts": len(attempts),
        "calls, by the provider's count": calls,
        "billed calls": len(ledger.bills),
        "lost attempts": len(lost),
        "limit": limit,
        "provider's bill": ledger.total,
        "settled": usd(balance.settled),
        "held": usd(balance.held),
        "overshoot": max(Usd(0), Usd(ledger.total - limit)),
    }


def _ended(run: Run) -> str:
    refused = isinstance(run.ended, RunFailed) and run.ended.kind is ErrorKind.BUDGET and not run.attempts
    return "refused" if refused else run.status.value


def _check_money(
    done: Audit, runs: Sequence[LoggedRun], lost: Sequence[Attempt], balance: Balance, ledger: Ledger
) -> None:
    """The budget is a cap; what is held belongs to lost attempts; the balances are what the events say."""
    limit, settled, held = done.figures["limit"], usd(balance.settled), usd(balance.held)
    done.expect(ledger.total <= limit, f"overshoot: the provider billed {ledger.total} under a limit of {limit}")
    done.expect(settled + held <= limit, f"settled {settled} and held {held} are above the limit of {limit}")
    done.expect(ledger.total <= settled + held, f"{ledger.total} was billed, {settled} settled and {held} held")
    at_most = total(one.started.max_cost for one in lost)
    done.expect(held == at_most, f"{held} is held, lost attempts can cost {at_most}")
    holds, gone, spent = Decimal(0), Decimal(0), Decimal(0)
    for event in (entry.event for logged in runs for entry in logged.events):
        holds += total(one.amount for one in _holds(event))
        gone += total(one.held for one in _settlements(event))
        spent += total(one.spent for one in _settlements(event))
    done.expect(holds - gone == held, f"the events hold {holds - gone}, the balance {held}")
    done.expect(spent == settled, f"the events settle {spent}, the balance {settled}")
    known = total(logged.run.spent for logged in runs)
    done.expect(spent == known, f"the events settle {spent}, the attempts cost {known}")


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
            if sum(one.spent for one in attempt.cost.settles) != amount:
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
