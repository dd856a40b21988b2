"""Finding runs in the log, reading them, and ending one that is under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ..domain.errors import InvalidRequest, RunNotFound
from ..domain.events import RunCancelled
from ..domain.run import Run, RunStatus, fold
from ..domain.units import MILLION, Timestamp
from .ports import Appended, EventStore, LoggedEvent, RunLog

RUN_PREFIX = "run-"
PAGE = 500  # runs read at once
_ID_LENGTH = len(RUN_PREFIX) + 36  # a whole id is looked up, a shorter one searched for in the log


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A run with the events it is folded from."""

    run: Run
    events: Sequence[LoggedEvent]


async def find_run(store: EventStore, name: str) -> str:
    """The id of the run called `name`: `last`, or a beginning that only one run has. Raises RunNotFound."""
    if name == "last":
        newest = await store.read_backwards(limit=1, types=("RunStarted",))
        if not newest:
            raise RunNotFound('there is no run yet: start one, as in `model-orchestrator run "What is Python?"`')
        return newest[0].stream
    if not name.isprintable() or not name.removeprefix(RUN_PREFIX):  # never taken to mean the only run there is
        raise RunNotFound(f"{name!r} names no run: give an id, the beginning of one, or last")
    prefix = name if name.startswith(RUN_PREFIX) else RUN_PREFIX + name
    if len(prefix) == _ID_LENGTH and await store.read_stream(prefix):
        return prefix
    found = await store.read_all(limit=2, types=("RunStarted",), stream_prefix=prefix)
    if len(found) > 1:
        raise RunNotFound(f"several runs begin with {name!r}: give more of the id")
    if not found:
        raise RunNotFound(f"no run begins with {name!r}: `model-orchestrator runs list` shows them")
    return found[0].stream


async def load_run(log: RunLog, run_id: str) -> LoggedRun:
    """The run folded from its events."""
    events = await log.read(run_id)
    return LoggedRun(fold(run_id, [entry.event for entry in events]), events)


def run_as_of(logged: LoggedRun, before: Timestamp) -> LoggedRun:
    """The run as it stood just before a moment. Raises RunNotFound where it had not begun."""
    events = [entry for entry in logged.events if entry.envelope.recorded_at < before]
    if not events:
        began = datetime.fromtimestamp(logged.events[0].envelope.recorded_at / MILLION, UTC).isoformat()
        raise RunNotFound(f"{logged.run.id} had not begun then: it began at {began}")
    return LoggedRun(fold(logged.run.id, [entry.event for entry in events]), events)


def list_limit(limit: int | None) -> int | None:
    """How many runs to list; None: all. Raises InvalidRequest for less than 1."""
    if limit is not None and limit < 1:
        raise InvalidRequest(f"limit {limit} is not possible: expected 1 or more")
    return limit


async def cancel_run(log: RunLog, run_id: str, *, by: str) -> Run:
    """End a run that is under way; a call that already left is still recorded by its own process.

    Raises InvalidRequest for a run that has ended.
    """
    while True:
        run = (await load_run(log, run_id)).run
        if run.status is not RunStatus.RUNNING:
            raise InvalidRequest(f"{run_id} is not under way: it is {run.status.value}")
        cancelled = RunCancelled(by=by, cost=run.cost, released=())
        result, _ = await log.append(run_id, expected=run.version, events=[cancelled])
        if isinstance(result, Appended):
            return (await load_run(log, run_id)).run
