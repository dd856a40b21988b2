"""One answer from several models': by vote, by score, by a judge, or written anew by an aggregator.

Members are passed most trusted first: the order decides what the votes and the confidences leave open. Agreement is the
share of members whose extracted answer equals the chosen one, and is unknown where nothing can be extracted: alike
texts are no agreement. A justification quotes answers and so belongs in contents, never in an event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from .catalogue import ModelCapability
from .confidence import ConfidenceDetector
from .errors import InvalidRequest
from .events import Method
from .extraction import Extracted, find_answer
from .finish import FinishReason
from .learned.trees import logit
from .units import MILLION, Probability, fraction, probability

if TYPE_CHECKING:
    from .learned.ballot import Ballot

STEP = 300_000  # of confidence: what differs by less does not decide a vote
QUOTED = 80  # characters of an answer that a justification quotes


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One model's answer."""

    attempt: int
    model: str
    capability: ModelCapability
    text: str
    confidence: Probability


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """The choice, and what speaks for and against it."""

    method: Method
    chosen: int | None  # the attempt; None for a fusion that has not run
    scores: dict[int, Probability]  # by attempt: share of the votes, score, place in the ranking, or confidence
    agreement: Probability | None  # share of members that gave the chosen answer; None where none can be extracted
    dissent: tuple[int, ...]  # the attempts that gave another answer, or none; empty where agreement is None
    justification: str  # for people


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreWeights:
    """What a member's score is made of; only the ratios count.

    Confidence is the member's, capability rises from basic (0) to expert (1), length is full at twice the members'
    median. Source: WildBench (dev half, read 2026-11-24): the choice by confidence and length was graded 7.26 of 10,
    by confidence alone 6.80, at random 6.92 (the grader, GPT-4o, may favour length).
    """

    confidence: int = 5
    capability: int = 3
    length: int = 2

    def __post_init__(self) -> None:
        weights = (self.confidence, self.capability, self.length)
        if min(weights) < 0 or not any(weights):
            raise InvalidRequest(f"score weights are {weights}: expected none below 0 and at least one above")


DEFAULT_WEIGHTS = ScoreWeights()


def vote(members: Sequence[Member], question: str, *, ballot: Ballot | None = None) -> Synthesis | None:
    """The answer most members gave; None where no member's can be extracted.

    With a ballot, whose scorer has to be that of the members' confidences, the answer that is likeliest right: see
    `learned_vote`. Without one:

    Answers with equal votes: the one whose members' confidences sum higher, then that of the most trusted member, who
    also speaks for an answer among equally confident ones. A member without an answer counts as dissent.

    Capability breaks no tie, and confidence weighs no vote: on ZeroEval and MMLU-Pro (dev halves, read 2026-11-24) the
    first cost five panels of seven 0.4 to 3 points of accuracy and helped only one that did not list its best first;
    the second did not help. Confidences count in steps of 0.3: of eight panels, best member first, none lost by that
    against votes by confidence before length was a signal, and four won up to 1.2 points; unstepped, two lost 1.4 and
    2.9 points, because weaker models write less.
    """
    answers = _found(members, question)
    groups: dict[str, list[Member]] = {}
    for member in members:
        if (answer := answers[member.attempt]) is not None:
            groups.setdefault(answer.form, []).append(member)
    if not groups:
        return None
    if ballot is not None and ballot.trees:
        return learned_vote(members, question, answers, groups, ballot)
    winner = max(groups.values(), key=lambda group: (len(group), sum(_trust(member) for member in group)))
    votes = {member.attempt: len(group) for group in groups.values() for member in group}
    shares = {member.attempt: _share(votes.get(member.attempt, 0), members) for member in members}
    chosen = max(winner, key=_trust)
    rivals = [len(group) for group in groups.values() if group is not winner]
    tied = " Others had as many votes; confidence and order decided." if len(winner) in rivals else ""
    answer = answers[chosen.attempt]
    because = f"{len(winner)} of {len(members)} models answered {_quoted(answer)}.{tied}"
    return _synthesis(Method.VOTE, chosen.attempt, answer, shares, members, answers, because)


def learned_vote(
    members: Sequence[Member],
    question: str,
    answers: Mapping[int, Extracted | None],
    groups: Mapping[str, Sequence[Member]],
    ballot: Ballot,
) -> Synthesis:
    """The answer with the highest chance by the ballot; of equal ones the first given.

    Of those who gave it the most confident speaks, of equal ones the most trusted. A member's score is its answer's
    chance, 0 without one.
    """
    voters = []
    for member in members:
        answer = answers[member.attempt]
        trust = logit(fraction(member.confidence))
        voters.append(ballot.voter(member.model, None if answer is None else answer.form, trust))
    chances = ballot.chances(question, voters)
    best = max(groups, key=chances.__getitem__)
    scores = {member.attempt: Probability(0) for member in members}
    for form, group in groups.items():
        scores |= {member.attempt: probability(chances[form]) for member in group}
    chosen = max(groups[best], key=lambda member: member.confidence)
    answer = answers[chosen.attempt]
    because = (
        f"{ballot.version} gives {_quoted(answer)} {chances[best]:.2f}; "
        f"{len(groups[best])} of {len(members)} models answered it."
    )
    return _synthesis(Method.VOTE, chosen.attempt, answer, scores, members, answers, because)


def score(members: Sequence[Member], weights: ScoreWeights = DEFAULT_WEIGHTS, *, question: str = "") -> Synthesis:
    """The member with the highest weighted score; of equal ones the most trusted."""
    middle = median(len(member.text) for member in members)
    scores = {member.attempt: _score(member, weights, middle) for member in members}
    chosen = max(members, key=lambda member: scores[member.attempt])
    because = (
        f"{chosen.model} scored highest, {fraction(scores[chosen.attempt]):.2f}, by its confidence "
        f"{fraction(chosen.confidence):.2f}, its capability {chosen.capability} and its {len(chosen.text)} characters."
    )
    answers = _found(members, question)
    return _synthesis(Method.SCORE, chosen.attempt, answers[chosen.attempt], scores, members, answers, because)


def judged(members: Sequence[Member], ranking: Sequence[int], question: str) -> Synthesis:
    """The member a judge put first; `ranking` holds every attempt, best first. Scores fall evenly from 1 by place."""
    names = {member.attempt: member.model for member in members}
    if sorted(ranking) != sorted(names):
        raise InvalidRequest(f"the ranking names attempts {sorted(ranking)}: expected each of {sorted(names)} once")
    scores = {attempt: _share(len(ranking) - place, members) for place, attempt in enumerate(ranking)}
    because = f"The judge's order, best first: {', '.join(names[attempt] for attempt in ranking)}."
    answers = _found(members, question)
    return _synthesis(Method.JUDGE, ranking[0], answers[ranking[0]], scores, members, answers, because)


def fused(
    members: Sequence[Member], question: str, *, attempt: int | None = None, text: str | None = None
) -> Synthesis:
    """The answer an aggregator wrote from all members' in `attempt`; without it, what the aggregator is to be told."""
    answers = _found(members, question)
    answer = None if text is None else find_answer(text, question=question)
    scores = {member.attempt: member.confidence for member in members}
    because = disagreements(members, question) if text is None else f"Written from {len(members)} answers."
    return _synthesis(Method.FUSE, attempt, answer, scores, members, answers, because)


def single(member: Member) -> Synthesis:
    """The one answer left, marked as such: nothing was compared."""
    return Synthesis(
        method=Method.SINGLE,
        chosen=member.attempt,
        scores={member.attempt: member.confidence},
        agreement=None,
        dissent=(),
        justification=f"Only {member.model} answered; nothing was compared.",
    )


def agree(members: Sequence[Member], question: str) -> bool:
    """Whether two or more members all gave the same answer. Nothing extractable is no agreement."""
    answers = set(extracted(members, question).values())
    return len(members) > 1 and len(answers) == 1 and None not in answers


def needs_third(members: Sequence[Member], question: str) -> bool:
    """Whether an adaptive panel asks its next member."""
    return not agree(members, question)


def default_method(members: Sequence[Member], question: str) -> Method:
    """Vote where an answer can be extracted, else score; single where only one member answered."""
    if len(members) == 1:
        return Method.SINGLE
    return Method.VOTE if any(answer is not None for answer in extracted(members, question).values()) else Method.SCORE


def extracted(members: Sequence[Member], question: str) -> dict[int, str | None]:
    """Each member's answer in its normal form, by attempt."""
    return {attempt: None if found is None else found.form for attempt, found in _found(members, question).items()}


def _found(members: Sequence[Member], question: str) -> dict[int, Extracted | None]:
    return {member.attempt: find_answer(member.text, question=question) for member in members}


def disagreements(members: Sequence[Member], question: str) -> str:
    """Who answered what, in a sentence."""
    answers = _found(members, question)
    if all(answer is None for answer in answers.values()):
        return "The answers are prose and could not be compared."
    if agree(members, question):
        return f"All answered {_quoted(answers[members[0].attempt])}."
    return " ".join(f"{member.model} answered {_quoted(answers[member.attempt])}." for member in members)


def synthesize_responses(
    responses: Sequence[str | Member],
    *,
    question: str = "",
    method: str | None = None,
    weights: ScoreWeights = DEFAULT_WEIGHTS,
) -> Synthesis:
    """The best of the responses; plain texts are attempts 1, 2 ... of basic models, with the confidence they show.

    `method`: vote or score; None: vote where an answer can be extracted, else score, which also answers for a vote
    that finds nothing; `weights` are the score's. Raises InvalidRequest for no response, another method, or an attempt
    that comes twice.
    """
    if method in (Method.JUDGE, Method.FUSE):
        raise InvalidRequest(f"synthesis by {method} asks a model: use run_ensemble, or choose vote or score")
    if method not in (None, Method.VOTE, Method.SCORE):
        raise InvalidRequest(f"there is no synthesis method {method!r}: expected vote or score")
    members = [_member(place, response) for place, response in enumerate(responses, start=1)]
    if not members or len({member.attempt for member in members}) < len(members):
        raise InvalidRequest("responses to synthesize: expected at least one, and no attempt twice")
    if len(members) == 1:
        return single(members[0])
    return (None if method == Method.SCORE else vote(members, question)) or score(members, weights, question=question)


def _member(place: int, response: str | Member) -> Member:
    if isinstance(response, Member):
        return response
    confidence = ConfidenceDetector().score(response, finish_reason=FinishReason.STOP).score
    model, capability = f"response {place}", ModelCapability.BASIC
    return Member(attempt=place, model=model, capability=capability, text=response, confidence=confidence)


def _score(member: Member, weights: ScoreWeights, middle: float) -> Probability:
    capability = MILLION * member.capability.rank // (len(ModelCapability) - 1)
    full = round(2 * middle)
    length = MILLION * min(len(member.text), full) // full if full else MILLION
    parts = weights.confidence * member.confidence + weights.capability * capability + weights.length * length
    return Probability(parts // (weights.confidence + weights.capability + weights.length))


def _trust(member: Member) -> int:
    return member.confidence // STEP


def _share(count: int, members: Sequence[Member]) -> Probability:
    return Probability(count * MILLION // len(members))


def _quoted(answer: Extracted | None) -> str:
    """The answer as its model wrote it."""
    if answer is None:
        return "nothing that can be compared"
    written = answer.written
    return f"“{written}”" if len(written) <= QUOTED else f"“{written[:QUOTED]}…”"


def _synthesis(
    method: Method,
    chosen: int | None,
    answer: Extracted | None,
    scores: dict[int, Probability],
    members: Sequence[Member],
    answers: Mapping[int, Extracted | None],
    because: str,
) -> Synthesis:
    """The choice with its agreement, counted over all members."""
    given = {attempt: None if one is None else one.form for attempt, one in answers.items()}
    dissent = tuple(member.attempt for member in members if answer is not None and given[member.attempt] != answer.form)
    others = "; ".join(f"{m.model}: {_quoted(answers[m.attempt])}" for m in members if m.attempt in dissent)
    return Synthesis(
        method=method,
        chosen=chosen,
        scores=scores,
        agreement=None if answer is None else _share(len(members) - len(dissent), members),
        dissent=dissent,
        justification=f"{because} Dissent: {others}." if others else because,
    )
