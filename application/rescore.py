"""Another scorer's word on recorded answers: what is left to score, and what the run would have done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce

from ..domain.actions import Complete, Escalate
from ..domain.budget import total
from ..domain.catalogue import ModelName
from ..domain.events import ConfidenceScored, RunEvent, RunRescored
from ..domain.run import Attempt, Run, evolve
from ..domain.strategies import due
from ..domain.units import Probability, Usd
from .decisions import answers
from .ports import Appended, RunLog
from .runs import load_run


class Turn(StrEnum):
    """What a chain would have done instead."""

    ESCALATED = "escalated"  # where it stopped
    STOPPED = "stopped"  # where it went on


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherCourse:
    """Where a run would have gone another way. USD, None where a price is unknown."""

    attempt: int  # after whose score
    turn: Turn
    to_model: ModelName | None  # whom it would have asked
    expected_cost: Usd | None  # of that call; of a stop: 0
    saved: Usd | None  # by not making the calls that came after; of an escalation: 0


def unscored(run: Run, scorer: str) -> list[Attempt]:
    """The answers of an ended run that this scorer has not scored, live or since."""
    if run.ended is None:
        return []
    known = {one.attempt for one in run.rescored if one.scorer == scorer}
    return [
        one
        for one in answers(run)
        if one.number not in known and (one.confidence is None or one.confidence.scorer != scorer)
    ]


def other_course(run_id: str, events: Sequence[RunEvent], scores: Mapping[int, Probability]) -> OtherCourse | None:
    """The first place at which the same strategy, with these scores by attempt, would have turned; None: nowhere."""
    run = other = Run(run_id)
    for number, event in enumerate(events):
        instead = event
        if isinstance(event, ConfidenceScored) and event.attempt in scores:
            instead = replace(event, score=scores[event.attempt])
        run, other = evolve(run, event), evolve(other, instead)
        if not isinstance(event, ConfidenceScored) or run.ended:
            continue
        match due(run), due(other):
            case (Complete(),), (Escalate(to_call=call),):
                return OtherCourse(
                    attempt=event.attempt,
                    turn=Turn.ESCALATED,
                    to_model=call.model,
                    expected_cost=call.expected_cost,
                    saved=Usd(0),
                )
            case (Escalate(),), (Complete(),):
                saved = _cost_of_what_came_after(run, events[number + 1 :])
                return OtherCourse(
                    attempt=event.attempt, turn=Turn.STOPPED, to_model=None, expected_cost=Usd(0), saved=saved
                )
    return None


def _cost_of_what_came_after(run: Run, events: Sequence[RunEvent]) -> Usd | None:
    known = {one.number for one in run.attempts}
    for event in events:
        run = evolve(run, event)
    later = [one.spent for one in run.attempts if one.number not in known]
    return None if None in later else total(later)


async def record_scores(log: RunLog, run_id: str, scores: Sequence[RunRescored]) -> tuple[Run, list[RunRescored]]:
    """Append them; what the same scorer said of an attempt already stays as it is. The run then, and those appended."""
    while True:
        run = (await load_run(log, run_id)).run
        new = [one for one in scores if one.attempt in {left.number for left in unscored(run, one.scorer)}]
        if not new:
            return run, []
        result, _ = await log.append(run_id, expected=run.version, events=new)
        if isinstance(result, Appended):
            return reduce(evolve, new, run), new
