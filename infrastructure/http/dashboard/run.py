"""One run: what was asked and answered, why these models, what happened when, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import RedirectResponse, Response

from ....application.explaining import explanation
from ....application.privacy import erasure_dict, erasure_of
from ....application.recorded_texts import Texts, texts_of
from ....application.result import synthesis_dict, warnings
from ....application.runs import LoggedRun, find_run, load_run
from ....application.trail_page import KINDS
from ....application.world import money_of
from ....domain.errors import RunNotFound
from ....domain.events import ModelCalled, RoutingDecided, RunCompleted, RunFailed
from ....domain.exclusions import exclusion_text
from ....domain.forecast import predicted
from ....domain.request import Request, TextPart, ToolCallPart, ToolResultPart
from ....domain.run import Attempt, Run
from ....projections.audit_trail import TrailEntry, trail
from .desk import Desk
from .visit import Visit, first

LEVELS = {"completed": "good", "answered": "good", "failed": "bad", "lost": "bad", "cancelled": "warn"}
_OUTCOMES = ("ModelCalled", "AttemptFailed", "AttemptLost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An attempt on the run's time; `left` and `width` are parts of a thousand."""

    attempt: Attempt
    left: int
    width: int
    level: str
    text: str | None  # of its answer; None: none, or it is not stored
    score: int | None  # millionths, of an ensemble's member
    is_dissent: bool
    is_chosen: bool

    @property
    def called(self) -> ModelCalled | None:
        """Its answer's event."""
        return self.attempt.outcome if isinstance(self.attempt.outcome, ModelCalled) else None


@dataclass(frozen=True, slots=True)
class Happened:
    """An event on the run's time."""

    entry: TrailEntry
    kind: str
    after: int  # microseconds since the run began
    since: int  # since the event before


class RunPage:
    """`/dashboard/runs/{id}` and what is said of its answer."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> Response:
        """The page. Raises RunNotFound, also for a run that is somebody else's."""
        log = self._desk.orchestrator.log
        logged = await self._logged(visit)
        run = logged.run
        (texts,) = await texts_of(log, [run])
        erased = await erasure_of(self._desk.orchestrator.store, log, run.id)
        synthesis = run.synthesis
        justification = await log.text(synthesis.justification) if synthesis and synthesis.justification else None
        notes = await log.texts([one.note for one in run.feedback if one.note])
        events = _events(logged)
        return await self._desk.page(
            visit,
            "run.html",
            run=run,
            started=run.started,
            events=events,
            took=events[-1].after,
            calls=_calls(run, [one.entry for one in events], texts),
            level=LEVELS.get(run.status.value, "plain"),
            money=_money(run),
            confidence=run.ended.confidence if isinstance(run.ended, RunCompleted) else None,
            stop_reason=run.ended.stop_reason.value if isinstance(run.ended, RunCompleted) else None,
            error=run.ended.kind.value if isinstance(run.ended, RunFailed) else None,
            messages=_messages(texts.request),
            answer=await self._answer(run),
            erased=None if erased is None else erasure_dict(erased),
            why=explanation(run) if run.assessment and run.routing else None,
            models=_models(run.routing) if run.routing else [],
            synthesis=synthesis_dict(run) if synthesis else None,
            justification=justification,
            warnings=warnings(run),
            notes=notes,
            is_ratable=isinstance(run.ended, RunCompleted) and visit.may("run"),
        )

    async def rate(self, visit: Visit) -> Response:
        """Record whether the answer is good. Raises InvalidRequest for a run without an answer."""
        visit.need("run")
        fields = await self._desk.form(visit)
        run = (await self._logged(visit)).run
        note = first(fields, "note") or None
        said = first(fields, "value")
        await self._desk.orchestrator.feedback(run.id, said, by=visit.identity.owner, note=note)
        return RedirectResponse(f"/dashboard/runs/{run.id}#feedback", 303)

    async def _logged(self, visit: Visit) -> LoggedRun:
        """By its whole id, or `last`: the beginning of one would be searched for in the whole log."""
        name, orchestrator = visit.request.path_params["run"], self._desk.orchestrator
        run_id = await find_run(orchestrator.store, name) if name == "last" else name
        logged = await load_run(orchestrator.log, run_id)
        if logged.run.started is None or not visit.sees(logged.run.started.owner):
            raise RunNotFound(f"there is no run {name[:80]!r}: the list of runs has all there are")
        return logged

    async def _answer(self, run: Run) -> str | None:
        if not isinstance(run.ended, RunCompleted) or run.ended.answer is None:
            return None
        return await self._desk.orchestrator.log.answer(run.ended.answer)


def _events(logged: LoggedRun) -> list[Happened]:
    entries = list(trail((one.envelope.version, one.envelope.recorded_at, one.event) for one in logged.events))
    began = before = entries[0].recorded_at
    found = []
    for entry in entries:
        at = entry.recorded_at
        found.append(Happened(entry, KINDS.get(entry.type, "plan"), at - began, at - before))
        before = at
    return found


def _calls(run: Run, entries: Sequence[TrailEntry], texts: Texts) -> list[Call]:
    """Every attempt, from its beginning to its outcome, on the time up to the last outcome."""
    began = entries[0].recorded_at
    ends = [one.recorded_at for one in entries if one.type in (*_OUTCOMES, "AttemptStarted")]
    whole = max(1, max(ends, default=began) - began)
    scores = {one.attempt: one.score for one in run.synthesis.members} if run.synthesis else {}
    chosen = run.ended.attempt if isinstance(run.ended, RunCompleted) else None
    found = []
    for attempt in run.attempts:
        times = [(one.recorded_at, one.type) for one in entries if one.attempt == attempt.number]
        start = min((at for at, _ in times), default=began)
        end = min((at for at, type_ in times if type_ in _OUTCOMES), default=began + whole)
        answer = texts.answers.get(attempt.number)
        left = 1000 * (start - began) // whole
        found.append(
            Call(
                attempt=attempt,
                left=min(left, 990),
                width=max(10, 1000 * (end - began) // whole - left),
                level=LEVELS.get(attempt.status.value, "plain"),
                text=None if answer is None else answer.text,
                score=scores.get(attempt.number),
                is_dissent=run.synthesis is not None and attempt.number in run.synthesis.dissent,
                is_chosen=attempt.number == chosen,
            )
        )
    return found


def _models(routing: RoutingDecided) -> list[dict[str, Any]]:
    """Every model of the decision: those planned first, then the other candidates, then who was excluded and why."""
    success: Mapping[str, int] = predicted(routing.forecast)
    planned = {call.model: number for number, call in reversed(list(enumerate(routing.plan, 1)))}
    prices = {call.model: (call.min_cost, call.max_cost) for call in routing.plan}
    candidates: list[dict[str, Any]] = [
        {
            "model": one.model,
            "place": planned.get(one.model),
            "expected": one.expected_cost,
            "prices": prices.get(one.model),
            "success": success.get(one.model),
            "reason": None,
        }
        for one in routing.candidates
    ]
    known = {one.model for one in routing.candidates}
    nothing: dict[str, Any] = {"place": None, "expected": None, "prices": None, "success": None}
    for model in planned:
        if model not in known:
            more: dict[str, Any] = {"model": model, "place": planned[model], "prices": prices[model], "reason": None}
            candidates.append({**nothing, **more})
    excluded = [{**nothing, "model": one.model, "reason": exclusion_text(one)} for one in routing.excluded]
    return sorted(candidates, key=lambda one: one["place"] or 1000) + excluded


def _money(run: Run) -> list[str]:
    """The kinds of money its calls showed; before any, the kind they will."""
    charged = sorted({one.cost.money.value for one in run.attempts if one.cost})
    return charged or ([money_of(run.started.provider).value] if run.started else [])


def _messages(request: Request | None) -> list[tuple[str, str]]:
    """The request's messages as text: who says it, and what."""
    if request is None:
        return []
    return [(message.role.value, "\n".join(map(_said, message.parts))) for message in request.messages]


def _said(part: object) -> str:
    match part:
        case TextPart(text=text):
            return text
        case ToolCallPart():
            return f"[calls {part.name}: {part.arguments}]"
        case ToolResultPart():
            return f"[result: {part.text}]"
    return "[an image]"
