"""Ensemble: several models answer at once, and their answers become one."""

from __future__ import annotations

from collections.abc import Sequence

from ..actions import Action, Complete, Synthesize
from ..budget import fits_what_is_left
from ..events import Method, Purpose, StopReason
from ..run import Attempt, Run
from .progress import no_answer, opening, progress, settings_of

PAIR = 2  # members that are asked first where the panel is adaptive


def due(run: Run) -> tuple[Action, ...]:
    """The calls an ensemble owes now: all members it asks at once, then what makes one answer of theirs."""
    if (first := opening(run)) is not None:
        return first
    assert run.routing is not None
    members = [index for index, call in enumerate(run.routing.plan) if call.purpose is Purpose.ANSWER]
    asked = members if settings_of(run).full_panel else members[:PAIR]
    actions, answered = _panel(run, asked)
    if answered is None:
        return actions
    rest = members[len(asked) :]
    if rest and not _stands(run, answered):
        begun = bool(run.of_call(rest[0]))
        if not begun and len(answered) == PAIR and not _is_compared(run, answered):
            return (Synthesize(_numbers(answered), is_check=True),)
        if begun or fits_what_is_left(run, run.routing.plan[rest[0]]):
            actions, answered = _panel(run, members)
            if answered is None:
                return actions
    return _conclude(run, answered)


def _panel(run: Run, asked: Sequence[int]) -> tuple[tuple[Action, ...], list[Attempt] | None]:
    """What the members owe; and their answers, once nothing more comes of any."""
    calls = [progress(run, index) for index in asked]
    if all(call.is_settled for call in calls):
        return (), [call.answered for call in calls if call.answered]
    return tuple(action for call in calls for action in call.actions), None


def _conclude(run: Run, answered: list[Attempt]) -> tuple[Action, ...]:
    """One answer of those that came."""
    assert run.routing is not None
    if not answered:
        return (no_answer(run),)
    if _stands(run, answered):
        assert run.synthesis is not None
        assert run.synthesis.chosen is not None
        return (Complete(run.synthesis.chosen, _reason(run, answered)),)
    if len(answered) == 1:
        return (Synthesize(_numbers(answered), Method.SINGLE),)
    helper = _helper(run)
    if helper is None:
        return (Synthesize(_numbers(answered), run.routing.method),)
    call = progress(run, helper, judges=_numbers(answered))
    if not call.is_settled:
        return call.actions
    if call.answered is None:  # the judge failed: what needs no model decides
        return (Synthesize(_numbers(answered)),)
    return (Synthesize(_numbers(answered), run.routing.method, call.answered.number),)


def _helper(run: Run) -> int | None:
    """The call that judges or fuses, where it is planned and fits what is left."""
    assert run.routing is not None
    for index, call in enumerate(run.routing.plan):
        if call.purpose is not Purpose.ANSWER and call.scores is None:
            return index if run.of_call(index) or fits_what_is_left(run, call) else None
    return None


def _is_compared(run: Run, answered: list[Attempt]) -> bool:
    """Whether the latest synthesis was about exactly these answers."""
    return run.synthesis is not None and {one.attempt for one in run.synthesis.members} == set(_numbers(answered))


def _stands(run: Run, answered: list[Attempt]) -> bool:
    """Whether these answers have become one."""
    return _is_compared(run, answered) and run.synthesis is not None and run.synthesis.chosen is not None


def _numbers(answered: list[Attempt]) -> tuple[int, ...]:
    return tuple(attempt.number for attempt in answered)


def _reason(run: Run, answered: list[Attempt]) -> StopReason:
    assert run.routing is not None
    planned = sum(call.purpose is Purpose.ANSWER for call in run.routing.plan)
    if len(answered) == 1:
        return StopReason.SINGLE
    return StopReason.AGREEMENT if len(answered) < planned and _agreed(run) else StopReason.SYNTHESIZED


def _agreed(run: Run) -> bool:
    return run.synthesis is not None and run.synthesis.agreement == 1_000_000
