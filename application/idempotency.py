"""One run a key: who asks again with the same key and request gets the first run, whatever became of it."""

from __future__ import annotations

from ..domain.errors import InvalidRequest
from ..domain.units import Duration
from .attempts import recalled
from .orchestrator import Finished
from .ports import IdempotencyClaim, RunLog
from .runs import load_run
from .world import StartRun


async def claim_of(log: RunLog, command: StartRun, provider: str) -> IdempotencyClaim | None:
    """The claim of a command's key, with what makes its request the same or another; None where it has no key."""
    if command.idempotency_key is None:
        return None
    facts = ("run", provider, command.strategy, *command.choices)
    return IdempotencyClaim(
        owner=command.owner,
        key=command.idempotency_key,
        fingerprint=await log.fingerprint(command.request, *facts),
        run=command.run_id,
    )


def check_same_request(run_id: str, *, is_same: bool) -> None:
    """Raises InvalidRequest where the key of `run_id` comes with another request."""
    if not is_same:
        raise InvalidRequest(
            f"the idempotency key belongs to {run_id}, which asked something else: use a new key for a new request"
        )


async def finished_run(log: RunLog, run_id: str) -> Finished:
    """A run that has ended, read back from the log."""
    logged = await load_run(log, run_id)
    first, last = logged.events[0].envelope, logged.events[-1].envelope
    synthesis = logged.run.synthesis
    because = synthesis.justification if synthesis else None
    return Finished(
        run=logged.run,
        answer=await recalled(log, logged.run),
        justification=None if because is None else await log.text(because),
        started_at=first.occurred_at,
        latency=Duration(last.recorded_at - first.recorded_at),  # by one clock, whichever hosts worked on it
    )
