"""Made-up logs for the read models' tests: runs whose facts are legal but in any order, interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.domain.events import (
    AnsweredFromCache,
    AttemptReconciled,
    Evidence,
    FeedbackGiven,
    Money,
    RunCancelled,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunStarted,
    StopReason,
)
from model_orchestrator.domain.units import Duration, Usd, probability
from model_orchestrator.infrastructure.event_codec import encode
from model_orchestrator.infrastructure.read_models.lean_codec import LogRow
from model_orchestrator.infrastructure.read_models.registry import Registry
from model_orchestrator.infrastructure.read_models.state import State
from model_orchestrator.projections.projection import Row

from .scenario import HAIKU, MINI, REF, answered, asked, assessed, costed, escalated, failed, lost, scored, started

MODELS = (MINI, HAIKU, "gpt-4o")
BEGIN = 1_795_000_000_000_000  # 2026-11-18
Event = tuple[str, RunEvent]  # run, event


def of_category(category: str, **changes: Any) -> RunStarted:
    return replace(started(changes.pop("strategy", "cheapest")), category=category, **changes)


def completed(attempt: int | None = 1, confidence: float = 0.9) -> RunCompleted:
    return RunCompleted(
        attempt=attempt,
        stop_reason=StopReason.ANSWERED,
        answer=REF,
        confidence=probability(confidence),
        cost=None,
        released=(),
    )


def run_failed() -> RunFailed:
    return RunFailed(kind=ErrorKind.SERVER, needed=None, cost=None, released=())


def cancelled() -> RunCancelled:
    return RunCancelled(by="local", cost=None, released=())


def reconciled(attempt: int = 1, amount: str = "0.0004", evidence: Evidence = Evidence.RECONCILED) -> AttemptReconciled:
    return AttemptReconciled(attempt=attempt, amount=Usd(amount), evidence=evidence, by="local", settles=())


def from_cache(saved: str | None = "0.0002") -> AnsweredFromCache:
    return AnsweredFromCache(
        run="run-0",
        attempt=1,
        answer=REF,
        confidence=probability(0.9),
        model=MINI,
        saved=None if saved is None else Usd(saved),
    )


def fed_back(value: float, attempt: int | None = None, by: str = "local") -> FeedbackGiven:
    return FeedbackGiven(value=probability(value), by=by, attempt=attempt, note=None)


def rows_of(events: Sequence[Event], *, apart: int = 1_000_000, begin: int = BEGIN) -> list[LogRow]:
    """The log's rows, each so many microseconds after the one before."""
    versions: dict[str, int] = {}
    rows = []
    for position, (run, event) in enumerate(events, 1):
        versions[run] = versions.get(run, 0) + 1
        type_, schema_version, payload = encode(event)
        rows.append((position, run, versions[run], type_, schema_version, begin + position * apart, payload))
    return rows


@dataclass
class ListedLog:
    """A LogSource over rows."""

    listed: list[LogRow]

    def head(self) -> int:
        return len(self.listed)

    def chain(self, position: int) -> bytes:
        return b"%d" % position if 0 < position <= len(self.listed) else b""

    def rows(self, after: int, upto: int, types: Sequence[str]) -> list[LogRow]:
        return [row for row in self.listed[after:upto] if row[3] in types]

    def position_at(self, moment: int) -> int:
        return sum(row[5] <= moment for row in self.listed)

    def close(self) -> None:
        pass


def tables_of(state: State) -> dict[str, list[Row]]:
    """Every live table's rows, sorted, by its plain name."""
    found: dict[str, list[Row]] = {}
    with state.reading() as tables:
        for entry in Registry(tables, state.schema).entries():
            if entry.live:
                for table in entry.projection.tables:
                    name = entry.names(state.schema)(table.name)
                    found[table.name] = sorted(tables.execute(f"SELECT * FROM {name}"), key=repr)
    return found


amounts = st.one_of(st.none(), st.integers(0, 10**13).map(lambda picos: f"{picos // 10**12}.{picos % 10**12:012}"))
tags = st.dictionaries(st.sampled_from(["team", "user"]), st.sampled_from(["a", "b'\"?%", "ü"]), max_size=2)


@st.composite
def run_events(draw: st.DrawFn) -> list[RunEvent]:
    """One run: its start, then attempts and what came of them, in any order that the order of starting allows."""
    first = of_category(
        draw(st.sampled_from(["chat", "code"])),
        strategy=draw(st.sampled_from(["cheapest", "fallback"])),
        tags=draw(tags),
        provider=draw(st.sampled_from(["live", "simulated", "recorded:set"])),
    )
    events: list[RunEvent] = [first, assessed()]
    begun = 0
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(
            st.sampled_from(["attempt", "fact", "fact", "fact", "end", "escalated", "cache", "again", "feedback"])
        )
        if kind == "attempt":
            begun += 1
            events.append(asked(draw(st.sampled_from(MODELS)), begun, index=draw(st.integers(0, 1))))
        elif kind == "fact" and begun:
            events.append(draw(facts(draw(st.integers(1, begun)))))
        elif kind == "end":
            ends: list[RunEvent] = [completed(begun or None), run_failed(), cancelled()]
            events.append(draw(st.sampled_from(ends)))
        elif kind == "escalated":
            events.append(escalated(draw(st.sampled_from(MODELS)), draw(st.sampled_from(MODELS))))
        elif kind == "cache":
            events.append(from_cache(draw(amounts)))
        elif kind == "feedback":
            events.append(fed_back(draw(st.floats(0, 1)), draw(st.one_of(st.none(), st.just(1)))))
        elif kind == "again":  # a second start contradicts the first, and loses
            events.append(of_category("other"))
    return events


def facts(attempt: int) -> st.SearchStrategy[RunEvent]:
    """Anything that can become known of an attempt."""
    return st.one_of(
        st.builds(lambda us: replace(answered(attempt), latency=Duration(us)), st.integers(0, 10**8)),
        st.just(replace(answered(attempt, usage=None), first_token=Duration(123_456))),
        st.just(failed(attempt)),
        st.just(lost(attempt)),
        st.builds(
            lambda amount, money: replace(costed(attempt, amount), money=money), amounts, st.sampled_from(list(Money))
        ),
        st.builds(lambda score: scored(score, attempt), st.floats(0, 1)),
        st.builds(
            lambda amount, evidence: reconciled(attempt, amount or "0", evidence),
            amounts,
            st.sampled_from(list(Evidence)),
        ),
    )


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Several runs, interleaved."""
    left = {f"run-{number}": draw(run_events()) for number in range(draw(st.integers(1, 5)))}
    events: list[Event] = []
    while left:
        run = draw(st.sampled_from(sorted(left)))
        events.append((run, left[run].pop(0)))
        if not left[run]:
            del left[run]
    return events
