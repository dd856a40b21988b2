"""How the answers of an ensemble become one, by the method asked for or the one that suits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .events import Method
from .judging import parse_ranking
from .synthesis import (
    DEFAULT_WEIGHTS,
    Member,
    ScoreWeights,
    Synthesis,
    agree,
    default_method,
    extracted,
    fused,
    judged,
    score,
    single,
    vote,
)

if TYPE_CHECKING:
    from .learned.ballot import Ballot


def check(members: Sequence[Member], question: str) -> Synthesis:
    """Whether all members agree: where they do, an answer stands; where not, or nothing is extractable, none does."""
    found = vote(members, question)
    if found is not None and agree(members, question):
        return found
    scores = {member.attempt: member.confidence for member in members}
    nothing = all(answer is None for answer in extracted(members, question).values())
    because = "The answers are prose and could not be compared." if nothing else "The answers differ."
    if found is None:
        return Synthesis(
            method=Method.VOTE, chosen=None, scores=scores, agreement=None, dissent=(), justification=because
        )
    return replace(found, chosen=None, justification=because)


def conclude(
    members: Sequence[Member],
    question: str,
    method: Method | None,
    *,
    verdict: str | None = None,
    verdict_attempt: int | None = None,
    weights: ScoreWeights = DEFAULT_WEIGHTS,
    ballot: Ballot | None = None,
) -> Synthesis:
    """The synthesis by `method`; None, or a verdict that cannot be used, leaves it to what suits the answers.

    `ballot` decides a vote where the members' confidences are those of the learned scorer it belongs to.
    """
    if len(members) == 1:
        return single(members[0])
    if method is Method.FUSE and verdict is not None:
        return fused(members, question, attempt=verdict_attempt, text=verdict)
    if method is Method.JUDGE and verdict is not None:
        if ranking := parse_ranking(verdict, members):
            return judged(members, ranking, question)
        instead = conclude(members, question, None, ballot=ballot)
        return replace(instead, justification=f"The judge gave no ranking. {instead.justification}")
    chosen = method if method in (Method.VOTE, Method.SCORE) else default_method(members, question)
    found = vote(members, question, ballot=ballot) if chosen is Method.VOTE else None
    return found or score(members, weights, question=question)


def clipped(members: Sequence[Member], share: float) -> list[Member]:
    """The members with the first part of each answer: what is quoted must not cost more than was planned."""
    return [replace(member, text=member.text[: int(len(member.text) * share)]) for member in members]
