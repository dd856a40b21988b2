"""An ensemble: several models' recorded answers become one, by the same rules as in a live run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...domain.catalogue import ModelCapability, ModelName
from ...domain.conclusion import check, conclude
from ...domain.errors import InvalidRequest
from ...domain.events import Method
from ...domain.learned.ballot import Ballot
from ...domain.scorers import AnswerScorer, ballot_of
from ...domain.strategies.ensemble import PAIR
from ...domain.synthesis import Member
from ...domain.units import probability
from .chosen import Chosen, against, references, singles
from .confidence import confidences_of
from .recorded_set import RecordedSet
from .report import Evaluation

LONGEST = "longest answer"

Panel = Sequence[Member]


def evaluate_ensemble(
    data: RecordedSet,
    scorer: AnswerScorer,
    models: Sequence[ModelName],
    *,
    method: Method | None = None,
    is_adaptive: bool = False,
) -> Evaluation:
    """The panel's choice beside its members, most trusted first. Raises InvalidRequest.

    Adaptive: the first two answer, the others only where these two do not agree.
    """
    if len(models) < PAIR or len(set(models)) < len(models):
        raise InvalidRequest("an ensemble needs two different models at least")
    panels = _panels(data, scorer, models)
    asked = [_asked(panel, question, is_adaptive) for panel, question in zip(panels, data.questions(), strict=True)]
    ballot = ballot_of(scorer)
    places = [_chosen(panel, question, method, ballot) for panel, question in zip(asked, data.questions(), strict=True)]
    alone = singles(data, models)
    best, columns = next(iter(alone)), [alone[model] for model in models]
    picked = _picked(columns, places, [float(len(panel)) for panel in asked])
    row = against(picked.measured(), alone[best].measured())
    longest = [max(panel, key=lambda member: len(member.text)).attempt - 1 for panel in panels]
    whole = _picked(columns, longest, [float(len(models))] * len(longest))
    return Evaluation(
        kind="ensemble",
        data=data,
        asked={"models": list(models), "method": method or "default", "adaptive": is_adaptive},
        policy=replace(row, name=_named(method, scorer, is_adaptive), points=picked.row("").points),
        references=[*references(alone), whole.row(LONGEST)],
        predictions=[{"id": one.id, "model": models[at]} for one, at in zip(data.examples, places, strict=True)],
        notes=[f"best single model in this set: {best}"],
    )


def _panels(data: RecordedSet, scorer: AnswerScorer, models: Sequence[ModelName]) -> list[Panel]:
    """Of each prompt, every model's answer. All are taken as equally capable: the order given ranks them."""
    columns = [
        [
            Member(
                attempt=number,
                model=model,
                capability=ModelCapability.BASIC,
                text=text,
                confidence=probability(confidence),
            )
            for text, confidence in zip(data.texts(model), confidences_of(data, scorer, model), strict=True)
        ]
        for number, model in enumerate(models, start=1)
    ]
    return list(zip(*columns, strict=True))


def _asked(panel: Panel, question: str, is_adaptive: bool) -> Panel:
    """The members that answer."""
    pair = panel[:PAIR]
    return pair if is_adaptive and check(pair, question).chosen is not None else panel


def _chosen(panel: Panel, question: str, method: Method | None, ballot: Ballot | None) -> int:
    """The place of the member whose answer stands."""
    chosen = conclude(panel, question, method, ballot=ballot).chosen
    assert chosen is not None, "votes and scores choose a member"
    return chosen - 1


def _picked(columns: Sequence[Chosen], places: Sequence[int], calls: Sequence[float]) -> Chosen:
    """The answers chosen; all members that were asked are paid."""
    grades = [columns[place].grades[row] for row, place in enumerate(places)]
    paid = [column.costs for column in columns if column.costs is not None]
    if len(paid) < len(columns):
        return Chosen(grades, None, {"calls": calls})
    costs = [sum(row[: round(count)]) for row, count in zip(zip(*paid, strict=True), calls, strict=True)]
    return Chosen(grades, costs, {"calls": calls})


def _named(method: Method | None, scorer: AnswerScorer, is_adaptive: bool) -> str:
    adaptive = "adaptive " if is_adaptive else ""
    return f"{adaptive}{method or 'vote, else score'} ({scorer.version})"
