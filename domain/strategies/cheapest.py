"""Cheapest: the cheapest model that can answer is asked."""

from __future__ import annotations

from ..actions import Action, Complete
from ..events import StopReason
from ..run import Run
from .progress import no_answer, opening, progress


def due(run: Run) -> tuple[Action, ...]:
    """What a cheapest run owes now; a finished run, or one that waits for its answer, owes nothing."""
    if (first := opening(run)) is not None:
        return first
    call = progress(run, 0)
    if not call.is_settled:
        return call.actions
    if call.answered:
        return (Complete(call.answered.number, StopReason.ANSWERED),)
    return (no_answer(run),)
