"""The scorers that ask nobody, by the names that commands and events have for them."""

from __future__ import annotations

from ..application.ports import Answer, EventStore
from ..application.scoring import HEURISTIC, TextScorer
from ..domain.catalogue import ModelName
from ..domain.confidence import Confidence
from ..domain.request import Request
from ..domain.scorers import LEARNED, AnswerScorer, is_learned
from ..domain.units import probability
from .weights_store import scorer_weights, stored_scorer


async def text_scorer(name: str, store: EventStore) -> TextScorer | None:
    """The scorer of that name and version; None where neither this build nor the database has one."""
    if name == HEURISTIC.version:
        return HEURISTIC
    if not is_learned(name):
        return None
    weights = scorer_weights(None) if name == LEARNED else await stored_scorer(store, name)
    return None if weights is None else _learned(weights.model)


def _learned(scorer: AnswerScorer) -> TextScorer:
    """Learned weights as a scorer of recorded texts."""

    def score(request: Request, answer: Answer, model: ModelName, second: str | None) -> Confidence:
        said = probability(
            scorer.confidence(
                request.prompt, answer.text, model=model, finish_reason=answer.finish_reason, second=second
            )
        )
        return Confidence(score=said, signals={"learned": said}, scorer=scorer.version)

    return TextScorer(scorer.version, score)
