"""Replay: a run decides again from its recorded events, and has to come to the same, bit for bit.

The loop's own `due`, `evolve` and `Decisions` decide. What was an effect is read from the log in its place: the
assessment, the answers, the scores, the failures, the time of each event. Each decision is taken from what was recorded
before it, so that one that differs is named, and so are those after it that do not follow either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from ..domain.actions import Action, AssessPrompt, CallModel, Complete, DecideRoute, Escalate, Fail, ScoreAnswer
from ..domain.actions import Synthesize as SynthesizeAction
from ..domain.budget import settled
from ..domain.errors import ErrorKind
from ..domain.events import (
    AttemptFailed,
    AttemptReconciled,
    AttemptStarted,
    ConfidenceScored,
    CostIncurred,
    Escalated,
    ModelCalled,
    Money,
    PromptAssessed,
    RoutingDecided,
    RunCompleted,
    RunEvent,
    RunFailed,
    RunStarted,
    Synthesized,
)
from ..domain.routing import decide
from ..domain.run import Run, evolve
from ..domain.strategies import PLANNED, STRATEGIES, due
from .attempts import attempt_started, incurred
from .decisions import answers, late_end
from .ports import LoggedEvent
from .recorded_texts import Texts
from .recorded_world import Basis, NotReplayable, recorded_decisions, recorded_world, routing_inputs
from .world import World

DECISIONS: dict[type[RunEvent], type[Action]] = {
    PromptAssessed: AssessPrompt,
    RoutingDecided: DecideRoute,
    AttemptStarted: CallModel,
    ConfidenceScored: ScoreAnswer,
    Escalated: Escalate,
    Synthesized: SynthesizeAction,
    RunCompleted: Complete,
    RunFailed: Fail,
}
REQUEST_FREE = ("strategy", "reason", "capability", "threshold", "method", "policy", "headroom", "usable")
Encode = Callable[[RunEvent], tuple[str, int, str]]


class Verdict(StrEnum):
    """What a replay came to."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    NOT_REPLAYABLE = "not_replayable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where a recorded decision is not what follows from the events before it."""

    version: int  # of the event in the run's stream
    type: str
    field: str  # as plan[0].max_cost; empty: the event as such
    recorded: Any  # JSON values
    decided: Any


@dataclass(slots=True)
class Replayed:
    """A run, decided again. `decisions` counts those compared."""

    run: str
    decisions: int = 0
    differences: list[Difference] = field(default_factory=list)
    why_not: str | None = None  # it cannot be replayed
    notes: list[str] = field(default_factory=list)  # what could not be decided again, or not from everything

    @property
    def verdict(self) -> Verdict:
        """Identical where nothing differs of what could be decided again."""
        if self.why_not is not None:
            return Verdict.NOT_REPLAYABLE
        return Verdict.DIFFERENT if self.differences else Verdict.IDENTICAL


def replay(run_id: str, logged: Sequence[LoggedEvent], basis: Basis, texts: Texts, encode: Encode) -> Replayed:
    """Decide a run again from its events. Raises NotReplayable."""
    _check_strategies(logged)
    found, run = Replayed(run_id), Run(run_id)
    reader = _Reader(basis, texts, found)
    for entry in logged:
        for one in _differences(reader, run, entry, encode):
            found.differences.append(one)
        run = evolve(run, entry.event)
    return found


def _check_strategies(logged: Sequence[LoggedEvent]) -> None:
    for entry in logged:
        match entry.event:
            case RunStarted(strategy=name) if name not in STRATEGIES:
                raise NotReplayable(f"this build has no strategy {name}")
            case RoutingDecided(strategy=name) if name not in PLANNED:
                raise NotReplayable(f"this build has no strategy {name}")


def _differences(reader: _Reader, run: Run, entry: LoggedEvent, encode: Encode) -> Iterator[Difference]:
    version, type_ = run.version + 1, entry.envelope.type
    try:
        decided = reader.decided(run, entry)
    except _NothingDue as nothing:
        yield Difference(version=version, type=type_, field="", recorded=type_, decided=str(nothing))
        return
    except Exception as error:  # what was tampered with can break any rule of the domain
        yield _contradiction(version, type_, error)
        return
    if decided is None:
        return
    if isinstance(entry.event, tuple(DECISIONS)):
        reader.found.decisions += 1
    _, schema_version, payload = encode(decided)
    recorded = entry.envelope.payload if entry.envelope.schema_version == schema_version else encode(entry.event)[2]
    if recorded != payload:
        pairs = list(_unequal("", json.loads(recorded), json.loads(payload)))
        for where, said, due_now in pairs or [("", recorded, payload)]:
            yield Difference(version=version, type=type_, field=where, recorded=said, decided=due_now)


def _contradiction(version: int, type_: str, error: Exception) -> Difference:
    """What was recorded before leaves no decision to take."""
    why = f"nothing: what was recorded before contradicts itself ({type(error).__name__} {error})"
    return Difference(version=version, type=type_, field="", recorded=type_, decided=why)


def _unequal(where: str, recorded: Any, decided: Any) -> Iterator[tuple[str, Any, Any]]:
    """The deepest places in which two JSON values differ."""
    if isinstance(recorded, dict) and isinstance(decided, dict):
        for key in dict.fromkeys((*recorded, *decided)):
            yield from _unequal(f"{where}.{key}" if where else key, recorded.get(key), decided.get(key))
    elif isinstance(recorded, list) and isinstance(decided, list) and len(recorded) == len(decided):
        for index, (one, other) in enumerate(zip(recorded, decided, strict=True)):
            yield from _unequal(f"{where}[{index}]", one, other)
    elif recorded != decided:
        yield where, recorded, decided


class _NothingDue(Exception):
    """The recorded decision was not due; the message says what was."""


class _Reader:
    """Performs what a run owes from what was recorded: the decision that follows, or None where it cannot be taken."""

    def __init__(self, basis: Basis, texts: Texts, found: Replayed) -> None:
        self.found = found
        self._basis = basis
        self._texts = texts
        self._routing: RoutingDecided | None = None
        self._known: World | None = None

    def decided(self, run: Run, entry: LoggedEvent) -> RunEvent | None:
        """The event as it follows from the run before it. What only happened is as it was recorded."""
        event = entry.event
        match event:
            case AttemptFailed() | AttemptReconciled():
                return settled(run, replace(event, settles=()))
            case CostIncurred():
                return settled(run, self._incurred(run, event))
            case _ if type(event) not in DECISIONS:
                return event
        if run.ended is None and (action := _action_for(event, due(run))) is not None:
            decided = self._performed(run, action, event)
        else:
            decided = _ended_early(run, entry)
        return decided and settled(run, decided)

    def _incurred(self, run: Run, event: CostIncurred) -> CostIncurred:
        attempt = run.attempt(event.attempt)
        assert isinstance(attempt.outcome, ModelCalled), "only an answer costs"
        charged = event.amount if event.money is Money.RECORDED else None  # a data set tells its costs
        return incurred(attempt.started, attempt.outcome.usage, event.money, charged)

    def _performed(self, run: Run, action: Action, event: RunEvent) -> RunEvent | None:
        match action, event:
            case (AssessPrompt(), _) | (ScoreAnswer(), _):
                return event  # an assessment and a score are read, as answers are
            case DecideRoute(), RoutingDecided():
                return self._routed(run, event)
            case CallModel(), AttemptStarted():
                assert run.started is not None
                model = self._world(run).model(action.call.model)
                return attempt_started(run, action, model, provider=run.started.provider)
            case SynthesizeAction(attempts=numbers, by=by), Synthesized():
                return self._synthesized(run, action, event, {*numbers, *(() if by is None else (by,))})
        return self._decided(run, action)

    def _routed(self, run: Run, event: RoutingDecided) -> RoutingDecided | None:
        inputs = routing_inputs(run, event, self._basis, self._texts.request)
        if inputs is None:
            self._leave(run, "RoutingDecided", "no call was planned, and the request's text is gone")
            return None
        decided = decide(inputs)
        if self._texts.request is None:
            if decided != event and all(getattr(decided, one) == getattr(event, one) for one in REQUEST_FREE):
                self._leave(run, "RoutingDecided", "its plan does not show the whole size of a request that is gone")
                return None
            self._note(run, "RoutingDecided", "decided by the size that the plan shows: the request's text is gone")
        return decided

    def _synthesized(
        self, run: Run, action: SynthesizeAction, event: Synthesized, needed: set[int]
    ) -> Synthesized | None:
        if self._texts.request is None or not needed <= self._texts.answers.keys():
            self._leave(run, "Synthesized", "the answers' texts are gone")
            return None
        decided = self._decided(run, action)
        assert isinstance(decided, Synthesized)
        return replace(decided, justification=event.justification)  # a random id

    def _leave(self, run: Run, type_: str, why: str) -> None:
        self._note(run, type_, f"not decided again: {why}")

    def _note(self, run: Run, type_: str, why: str) -> None:
        self.found.notes.append(f"event {run.version + 1} ({type_}): {why}")

    def _world(self, run: Run) -> World:
        """The same as long as the routing decision is."""
        if self._routing is not run.routing or self._known is None:
            self._routing, self._known = run.routing, recorded_world(run, run.routing, self._basis)
        return self._known

    def _decided(self, run: Run, action: Action) -> RunEvent:
        decisions = recorded_decisions(run, self._world(run), self._texts.request, self._texts.answers)
        ((decided,), _) = decisions.perform(run, action, ())
        return decided


def _action_for(event: RunEvent, actions: Sequence[Action]) -> Action | None:
    """The action that is due and becomes such an event."""
    for action in actions:
        match action, event:
            case CallModel(index=index), AttemptStarted(call=call):
                if index == call:
                    return action
            case ScoreAnswer(attempt=number), ConfidenceScored(attempt=attempt):
                if number == attempt:
                    return action
            case _ if isinstance(action, DECISIONS[type(event)]):
                return action
    return None


def _ended_early(run: Run, entry: LoggedEvent) -> RunEvent:
    """The end of a run whose time was up by the event's own clock, or whose texts its next worker could not read.

    Raises _NothingDue.
    """
    event = entry.event
    actions = () if run.ended else due(run)
    if run.claim is not None and isinstance(event, RunFailed) and event.kind is ErrorKind.CONTENT and not run.ended:
        return RunFailed(kind=ErrorKind.CONTENT, needed=None, cost=run.cost, released=())
    is_late = run.deadline is not None and entry.envelope.occurred_at >= run.deadline
    if is_late and any(isinstance(one, CallModel) for one in actions):
        unscored = [one.number for one in answers(run) if one.confidence is None]
        if isinstance(event, ConfidenceScored) and event.attempt in unscored:
            return event
        if isinstance(event, RunCompleted | RunFailed):
            return late_end(run)
    raise _NothingDue(f"due were: {', '.join(type(one).__name__ for one in actions) or 'nothing'}")
