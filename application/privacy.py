"""Destroying the texts of runs; what they did and cost stays in the log, and every hash stays valid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ..domain.errors import InvalidRequest
from ..domain.events import ContentErased, ErasureReason, RunStarted
from ..domain.run import AttemptStatus, Run, RunStatus
from ..domain.units import MILLION, Duration, Timestamp
from .ports import Append, EventStore, Expected, Lease, LeaseStore, RecordedEvent, RunLog, StreamAppend
from .resume import left_alone, survey
from .runs import PAGE, load_run

STREAM = "contents"
RUNS_AN_EVENT = 500
_LEASE = Duration(60 * MILLION)  # nobody takes a run up again while its texts go


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What is to be erased, by whom and why: one run, a subject's runs, or those started before a moment."""

    run: str | None = None
    subject: str | None = None
    before: Timestamp | None = None
    by: str
    reason: ErasureReason


@dataclass(frozen=True, slots=True)
class Erased:
    """What came of it."""

    runs: tuple[str, ...]
    left_alone: dict[str, str]  # runs that a living process works on, with why


@dataclass(frozen=True, slots=True)
class RecordedErasure:
    """A ContentErased with the envelope it was recorded in."""

    event: ContentErased
    envelope: RecordedEvent


class Privacy:
    """The erasures of a log. `worker` names this process in the leases it takes."""

    def __init__(self, store: EventStore, log: RunLog, leases: LeaseStore, worker: str) -> None:
        self._store = store
        self._log = log
        self._leases = leases
        self._worker = worker

    async def erase(self, erasure: Erasure, now: Timestamp) -> Erased:
        """Destroy the texts, in commits of up to RUNS_AN_EVENT runs, each with its event.

        A run that a living process works on is left alone. Raises InvalidRequest where that is the one asked for.
        """
        runs = await self.affected(erasure)
        unfinished = await self._unfinished(runs)
        left: dict[str, str] = {}
        taken: list[Lease] = []
        try:
            for run in unfinished:
                lease = await self._take(run)
                if lease is not None:
                    taken.append(lease)
                else:
                    left[run.id] = await left_alone(self._leases, run.id, now) or f"{run.id} is under way"
            if erasure.run in left:
                raise InvalidRequest(f"{left[erasure.run]}; cancel it or wait for its end")
            free = [run for run in runs if run not in left]
            for start in range(0, len(free), RUNS_AN_EVENT):
                await self._append(erasure, free[start : start + RUNS_AN_EVENT])
        finally:
            for lease in taken:
                await self._leases.release(lease)
        return Erased(tuple(free), left)

    async def affected(self, erasure: Erasure) -> list[str]:
        """The runs an erasure is about, in order of their start; of many, without those that were erased before."""
        if erasure.run is not None:
            return [erasure.run]
        known = {run for recorded in await erasures(self._store, self._log) for run in recorded.event.runs}
        found: list[str] = []
        after = 0
        while page := await self._store.read_all(after=after, limit=PAGE, types=("RunStarted",)):
            for entry in page:
                if erasure.before is not None and entry.recorded_at >= erasure.before:
                    return found
                if entry.stream not in known and self._is_meant(erasure, entry):
                    found.append(entry.stream)
            after = page[-1].position
        return found

    def _is_meant(self, erasure: Erasure, entry: RecordedEvent) -> bool:
        if erasure.subject is None:
            return True
        event = self._log.decode(entry)
        return isinstance(event, RunStarted) and event.subject == erasure.subject

    async def _unfinished(self, runs: Sequence[str]) -> list[Run]:
        """Those that may still get texts: under way, or with a call that has no outcome yet."""
        names: Iterable[str] = runs
        if len(runs) > 1:
            found = await survey(self._store)
            names = [run for run in runs if run in found.running or run in found.open_attempts]
        loaded = [(await load_run(self._log, name)).run for name in names]
        return [
            run
            for run in loaded
            if run.status is RunStatus.RUNNING or any(one.status is AttemptStatus.OPEN for one in run.attempts)
        ]

    async def _take(self, run: Run) -> Lease | None:
        return await self._leases.acquire(run.id, worker=self._worker, epoch=run.epoch, ttl=_LEASE)

    async def _append(self, erasure: Erasure, runs: Sequence[str]) -> None:
        event = ContentErased(
            runs=tuple(runs),
            subject=erasure.subject,
            before=erasure.before,
            by=erasure.by,
            reason=erasure.reason,
        )
        part = StreamAppend(STREAM, Expected.ANY, self._log.new_events(STREAM, [event]))
        await self._store.append(Append(streams=(part,), erased=tuple(runs)))


def erasure_reason(text: str) -> ErasureReason:
    """A reason by its name. Raises InvalidRequest."""
    if text not in list(ErasureReason):
        raise InvalidRequest(f"reason {text!r}: expected {', '.join(ErasureReason)}")
    return ErasureReason(text)


async def erasures(store: EventStore, log: RunLog) -> list[RecordedErasure]:
    """Every erasure, in order."""
    found = []
    for entry in await store.read_stream(STREAM):
        event = log.decode(entry)
        if isinstance(event, ContentErased):
            found.append(RecordedErasure(event, entry))
    return found


async def erasure_of(store: EventStore, log: RunLog, run_id: str) -> RecordedErasure | None:
    """The last erasure of a run's texts, if any."""
    found = [one for one in await erasures(store, log) if run_id in one.event.runs]
    return found[-1] if found else None


def erasure_dict(erasure: RecordedErasure) -> dict[str, str]:
    """For JSON: when (ISO 8601), by whom and why."""
    at = datetime.fromtimestamp(erasure.envelope.recorded_at // MILLION, UTC)
    return {"at": at.isoformat(), "by": erasure.event.by, "reason": erasure.event.reason.value}
