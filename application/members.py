"""The answers of a run as the members that a synthesis compares."""

from __future__ import annotations

from collections.abc import Mapping

from ..domain.run import Run
from ..domain.strategies.progress import confidence_of
from ..domain.synthesis import Member
from .ports import Answer
from .world import World


def members_of(run: Run, attempts: tuple[int, ...], answers: Mapping[int, Answer], world: World) -> tuple[Member, ...]:
    """Of these attempts, the most capable model's first: of equals a synthesis takes the first."""
    members = (
        Member(
            attempt=number,
            model=run.attempt(number).model,
            capability=world.model(run.attempt(number).model).capability,
            text=answers[number].text,
            confidence=confidence_of(run.attempt(number)),
        )
        for number in attempts
    )
    return tuple(sorted(members, key=lambda member: -member.capability.rank))
