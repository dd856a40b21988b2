"""The runs of the log in the order of their streams: the index has them so, and memory holds one at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import msgspec

from ..application.backtest_runs import PastAttempt, PastRouting, PastRun, PastStart
from ..domain.errors import StoreTooNew
from ..domain.events import PromptAssessed, Purpose
from ..domain.finish import FinishReason
from ..domain.units import Usd
from ..projections.facts import picos
from .event_codec import EVENT_TYPES, SCHEMA_VERSIONS
from .read_models.log_rows import log_rows
from .upcasters import upcast

Part = tuple[str, str]  # streams from (included), to (excluded)
ALL: Part = ("run-", "run.")
FOR_A_PROCESS = 50_000  # events
Row = tuple[str, str, int, int, Any]  # stream, type, schema version, recorded_at, payload
IN_MEMORY = "a database in memory has no history: give --database"


class _Started(msgspec.Struct, gc=False):
    attempt: int
    call: int
    model: str
    purpose: Purpose


class _Called(msgspec.Struct, gc=False):
    attempt: int
    latency: int
    finish_reason: FinishReason


class _Failed(msgspec.Struct, gc=False):
    attempt: int


class _Cost(msgspec.Struct, gc=False):
    attempt: int
    amount: str | None


class _Score(msgspec.Struct, gc=False):
    attempt: int
    score: int
    scorer: str


class _Completed(msgspec.Struct, gc=False):
    attempt: int | None


class _Label(msgspec.Struct, gc=False):
    value: int  # millionths
    by: str
    attempt: int | None = None


class _Nothing(msgspec.Struct, gc=False):
    pass


def _usd(kind: type, value: Any) -> Usd:
    if kind is Usd and isinstance(value, str):
        return Usd(value)
    raise ValueError(f"expected a decimal string, got {type(value).__name__}")


_SHAPES: dict[str, Any] = {
    "RunStarted": PastStart,
    "PromptAssessed": PromptAssessed,
    "RoutingDecided": PastRouting,
    "AttemptStarted": _Started,
    "ModelCalled": _Called,
    "AttemptFailed": _Failed,
    "CostIncurred": _Cost,
    "AttemptReconciled": _Cost,
    "ConfidenceScored": _Score,
    "RunRescored": _Score,
    "Escalated": _Nothing,
    "RunCompleted": _Completed,
    "RunFailed": _Nothing,
    "RunCancelled": _Nothing,
    "FeedbackGiven": _Label,
}
TYPES = tuple(name for name in _SHAPES if name in EVENT_TYPES)
_DECODE = {name: msgspec.json.Decoder(shape, dec_hook=_usd).decode for name, shape in _SHAPES.items()}


def past_runs(url: str, *, part: Part = ALL, since: int | None = None, until: int | None = None) -> Iterator[PastRun]:
    """Whole runs that began in [since, until), microseconds, of the streams of a part."""
    with log_rows(url, IN_MEMORY) as ask:
        marks = ", ".join("?" * len(TYPES))
        query = (
            "SELECT stream, type, schema_version, recorded_at, payload FROM log.events "
            f"WHERE stream >= ? AND stream < ? AND type IN ({marks}) ORDER BY stream, version"
        )
        yield from runs_of(ask(query, (*part, *TYPES)), since, until)


def parts(url: str) -> list[Part]:
    """The streams in about equal parts, one for each processor; one where the log is small."""
    processes = os.cpu_count() or 1
    with log_rows(url, IN_MEMORY) as ask:
        ((head,),) = ask("SELECT position FROM log.log_head", ())
        if processes < 2 or head < FOR_A_PROCESS:
            return [ALL]
        after = "SELECT min(position) FROM log.events WHERE type = 'RunStarted' AND position >= ?"
        found: set[str] = set()
        for number in range(1, processes):
            query = f"SELECT stream FROM log.events WHERE position = ({after})"
            found.update(row[0] for row in ask(query, (head * number // processes,)))
    bounds = [ALL[0], *sorted(found), ALL[1]]
    return list(pairwise(bounds))


def runs_of(rows: Iterable[Row], since: int | None, until: int | None) -> Iterator[PastRun]:
    """The runs whose events these are, stream by stream."""
    run: PastRun | None = None
    stream = ""
    for row in rows:
        if row[0] != stream:
            if run is not None:
                yield run
            run, stream = None, row[0]
            if row[1] == "RunStarted" and (since is None or row[3] >= since) and (until is None or row[3] < until):
                run = PastRun(stream, row[3], _start(row))
        elif run is not None and not run.is_unreadable:
            try:
                _ADD[row[1]](run, _event(row), row[3])
            except (LookupError, ValueError):  # a newer release wrote it
                run.is_unreadable = True
    if run is not None:
        yield run


def _start(row: Row) -> PastStart:
    try:
        start: PastStart = _event(row)
    except (LookupError, ValueError) as error:
        raise StoreTooNew(f"{row[0]} was started by a newer release: use that one ({error})") from None
    return start


def _event(row: Row) -> Any:
    _, type_, version, _, payload = row
    if version != SCHEMA_VERSIONS[type_]:
        payload = upcast(type_, version, SCHEMA_VERSIONS[type_], payload)
    return _DECODE[type_](payload)


def _routed(run: PastRun, event: PastRouting, at: int) -> None:
    run.routing = run.routing or event


def _assessed(run: PastRun, event: PromptAssessed, at: int) -> None:
    run.assessment = run.assessment or event


def _started(run: PastRun, event: _Started, at: int) -> None:
    run.attempts.setdefault(event.attempt, PastAttempt(event.attempt, event.model, event.purpose, event.call))


def _called(run: PastRun, event: _Called, at: int) -> None:
    if (attempt := run.attempts.get(event.attempt)) and attempt.latency is None:
        attempt.latency, attempt.finish_reason = event.latency, event.finish_reason


def _failed(run: PastRun, event: _Failed, at: int) -> None:
    attempt = run.attempts.get(event.attempt)
    if attempt is not None and attempt.cost is None:
        attempt.cost = 0


def _paid(run: PastRun, event: _Cost, at: int) -> None:
    if attempt := run.attempts.get(event.attempt):
        attempt.cost = picos(event.amount)


def _scored(run: PastRun, event: _Score, at: int) -> None:
    if attempt := run.attempts.get(event.attempt):
        attempt.scores.setdefault(event.scorer, event.score)


def _escalated(run: PastRun, event: _Nothing, at: int) -> None:
    run.escalations += 1


def _completed(run: PastRun, event: _Completed, at: int) -> None:
    run.final, run.ended_at = event.attempt, at


def _ended(run: PastRun, event: _Nothing, at: int) -> None:
    run.ended_at = at


def _labelled(run: PastRun, event: _Label, at: int) -> None:
    run.labels[event.attempt, event.by] = event.value


_ADD: dict[str, Callable[[PastRun, Any, int], None]] = {
    "RunStarted": lambda run, event, at: None,
    "PromptAssessed": _assessed,
    "RoutingDecided": _routed,
    "AttemptStarted": _started,
    "ModelCalled": _called,
    "AttemptFailed": _failed,
    "CostIncurred": _paid,
    "AttemptReconciled": _paid,
    "ConfidenceScored": _scored,
    "RunRescored": _scored,
    "Escalated": _escalated,
    "RunCompleted": _completed,
    "RunFailed": _ended,
    "RunCancelled": _ended,
    "FeedbackGiven": _labelled,
}
