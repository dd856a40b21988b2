"""Taking over runs whose worker is gone, and settling what nobody can know any more.

A run is taken only where no lease on it is in force; a living process's run is left alone, and said so.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..domain.errors import InvalidRequest, StoreTooNew
from ..domain.events import AttemptReconciled, Evidence, ModelCalled
from ..domain.request import Request
from ..domain.run import AttemptStatus, Run, RunStatus
from ..domain.units import MILLION, Duration, Timestamp, Usd, plain
from .attempts import crashed
from .ports import Clock, EventStore, LeaseStore, RunLog
from .runs import PAGE, RUN_PREFIX, load_run
from .session import RunSession
from .world import StartRun, money_of

_ENDS = ("RunCompleted", "RunFailed", "RunCancelled")
_OUTCOMES = ("ModelCalled", "AttemptFailed", "AttemptLost")


class LeftAlone(InvalidRequest):
    """The run is not to be taken: it has ended, another worker has it, or was first."""


@dataclass(slots=True)
class Survey:
    """The runs of a log in which something is left to do."""

    running: dict[str, None] = field(default_factory=dict)  # in order of their start
    open_attempts: dict[str, int] = field(default_factory=dict)  # by run: those without an outcome
    lost: dict[str, None] = field(default_factory=dict)  # runs that had a lost attempt


async def survey(store: EventStore) -> Survey:
    """One reading of the log. An attempt that has two outcomes is counted once."""
    found, after = Survey(), 0
    types = ("RunStarted", "AttemptStarted", *_OUTCOMES, *_ENDS)
    while page := await store.read_all(after=after, limit=PAGE, types=types, stream_prefix=RUN_PREFIX):
        for entry in page:
            _note(found, entry.stream, entry.type)
        after = page[-1].position
    return found


def _note(found: Survey, run: str, type_: str) -> None:
    if type_ == "RunStarted":
        found.running[run] = None
    elif type_ in _ENDS:
        found.running.pop(run, None)
    elif type_ == "AttemptStarted":
        found.open_attempts[run] = found.open_attempts.get(run, 0) + 1
    elif found.open_attempts.get(run, 0) > 1:
        found.open_attempts[run] -= 1
    else:
        found.open_attempts.pop(run, None)
    if type_ == "AttemptLost":
        found.lost[run] = None


def command_to_resume(run: Run, request: Request, *, timeout: float) -> StartRun:
    """The command that the run was started with; its time begins anew where it had a limit."""
    started = run.started
    assert started is not None, "only a started run is resumed"
    return StartRun(
        run_id=run.id,
        request=request,
        strategy=started.strategy,
        settings=started.settings,
        category=started.category,
        tags=started.tags,
        owner=started.owner,
        subject=started.subject,
        max_cost=started.max_cost,
        timeout=None if started.deadline is None else timeout,
        keep_content=started.request is not None,
    )


async def has_its_texts(log: RunLog, run: Run) -> bool:
    """Whether every answer of the run can still be read."""
    for attempt in run.attempts:
        if isinstance(attempt.outcome, ModelCalled):
            reference = attempt.outcome.answer
            if reference is None or await log.text(reference) is None:
                return False
    return True


async def left_alone(leases: LeaseStore, run_id: str, now: Timestamp) -> str | None:
    """Why the run cannot be taken now; None where it can."""
    lease = await leases.holder(run_id)
    if lease is None:
        return None
    seconds = max(0.0, (lease.expires_at - now) / MILLION)
    return f"{run_id} is left alone: {lease.worker} works on it, or did until now (free in {seconds:.0f} s if it died)"


@dataclass(frozen=True, slots=True)
class ListedAttempt:
    """An attempt with its run, and when it was lost."""

    run: Run
    number: int
    lost_at: Timestamp | None


async def lost_attempts(store: EventStore, log: RunLog, *, pending_only: bool = True) -> list[ListedAttempt]:
    """Attempts that are lost, in the order their runs were; only those whose cost is unknown, unless asked for all.

    Those of runs that only a newer release can read are left to it.
    """
    found = []
    for run_id in (await survey(store)).lost:
        try:
            logged = await load_run(log, run_id)
        except StoreTooNew:
            continue
        for attempt in logged.run.attempts:
            if attempt.status is not AttemptStatus.LOST or (pending_only and attempt.is_settled):
                continue
            at = next(one.envelope.recorded_at for one in logged.events if one.event == attempt.outcome)
            found.append(ListedAttempt(logged.run, attempt.number, at))
    return found


async def mark_crashed(log: RunLog, leases: LeaseStore, run_id: str) -> int:
    """Mark the open attempts of a run that has ended and that nobody works on as lost; how many there were."""
    run = (await load_run(log, run_id)).run
    lost = crashed(run)
    if run.status is RunStatus.RUNNING or not lost or await leases.holder(run_id) is not None:
        return 0
    await log.append(run_id, expected=run.version, events=lost)  # behind somebody else: the next sweep looks again
    return len(lost)


async def settle_assumed(
    store: EventStore, log: RunLog, clock: Clock, *, by: str, lost_for: Duration
) -> list[ListedAttempt]:
    """Settle every attempt that has been lost for so long at the most it could cost; returns them."""
    old = [one for one in await lost_attempts(store, log) if one.lost_at and one.lost_at + lost_for <= clock.now()]
    settled = []
    for one in old:
        most = one.run.attempt(one.number).started.max_cost
        if most is not None:
            await reconcile(log, one.run.id, one.number, amount=most, by=by, evidence=Evidence.ASSUMED)
            settled.append(one)
    return settled


async def reconcile(
    log: RunLog, run_id: str, number: int, *, amount: Usd, by: str, evidence: Evidence = Evidence.RECONCILED
) -> Run:
    """Record what a lost attempt cost, and settle its hold. What was assumed may be reconciled later.

    Raises InvalidRequest for an attempt that is not lost, or was reconciled already.
    """
    while True:
        logged = await load_run(log, run_id)
        run = logged.run
        _check(run, number, evidence)
        assert run.started is not None
        session = RunSession(log, run_id, observe=lambda run, event, at: None, money=money_of(run.started.provider))
        session.load(logged.events)
        session.record(AttemptReconciled(attempt=number, amount=amount, evidence=evidence, by=by, settles=()))
        await session.flush()
        if not session.conflicts:
            return session.run


def _check(run: Run, number: int, evidence: Evidence) -> None:
    if number not in {attempt.number for attempt in run.attempts}:
        raise InvalidRequest(f"{run.id} has no attempt {number}: it has {len(run.attempts)}")
    attempt = run.attempt(number)
    if attempt.status is not AttemptStatus.LOST:
        hint = ": `runs resume` finds out whether its process is gone" if attempt.status is AttemptStatus.OPEN else ""
        raise InvalidRequest(f"{run.id}:{number} is not lost but {attempt.status.value}{hint}")
    known = attempt.reconciled
    if known is not None and (evidence is Evidence.ASSUMED or known.evidence is Evidence.RECONCILED):
        raise InvalidRequest(f"{run.id}:{number} is settled already: ${plain(known.amount)} by {known.by}")
