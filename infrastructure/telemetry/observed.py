"""Runs as this process saw them: their events with the times they were recorded, gathered until the run ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ...domain.events import (
    Escalated,
    RunCancelled,
    RunClaimed,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunStarted,
)
from ...domain.run import Attempt, Run, fold
from ...domain.units import Timestamp

FIRST = (RunStarted, RunClaimed)  # of what a process sees of a run
LAST = (RunCompleted, RunFailed, RunCancelled)
MOST_RUNS = 10_000  # kept at once: the oldest is told as it is


@dataclass(slots=True)
class ObservedRun:
    """One run."""

    id: str
    headers: Mapping[str, str]  # of the request it was started by
    events: list[RunEvent] = field(default_factory=list)
    times: list[Timestamp] = field(default_factory=list)

    @property
    def run(self) -> Run:
        """Its state; of a run that was taken over, what happened since."""
        return fold(self.id, self.events)

    @property
    def span(self) -> tuple[Timestamp, Timestamp]:
        """Its first and last moment."""
        return self.times[0], self.times[-1]

    def span_of(self, attempt: Attempt) -> tuple[Timestamp, Timestamp]:
        """A call's: it ends with its outcome, and took as long as its latency says."""
        left, came = self.times[0], self.times[-1]
        for event, at in zip(self.events, self.times, strict=True):
            if event is attempt.started:
                left = at
            if event is attempt.outcome:
                came = at
        latency = attempt.outcome.latency if attempt.outcome else None
        return left if latency is None else Timestamp(max(left, came - latency)), came

    def escalations(self) -> Iterator[tuple[Escalated, Timestamp]]:
        """When the chain moved on."""
        for event, at in zip(self.events, self.times, strict=True):
            if isinstance(event, Escalated):
                yield event, at


class Gathering:
    """The runs under way. What is told of a run that is not is too late, and left out."""

    def __init__(self) -> None:
        self._runs: dict[str, ObservedRun] = {}

    def add(self, run_id: str, event: RunEvent, at: Timestamp, headers: Mapping[str, str]) -> ObservedRun | None:
        """The run, where it has ended by this, or where there are too many."""
        if isinstance(event, FIRST):
            self._runs.setdefault(run_id, ObservedRun(run_id, headers))
        run = self._runs.get(run_id)
        if run is None:
            return None
        run.events.append(event)
        run.times.append(at)
        if isinstance(event, LAST):
            return self._runs.pop(run_id)
        return self._runs.pop(next(iter(self._runs))) if len(self._runs) > MOST_RUNS else None

    def rest(self) -> list[ObservedRun]:
        """Those that have not ended, which are forgotten."""
        found, self._runs = list(self._runs.values()), {}
        return found
