"""The confidence in a model's answers, judged on whether they were right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...domain.catalogue import ModelName
from ...domain.errors import InvalidRequest
from ...domain.metrics.calibration import BINS, Calibration
from ...domain.metrics.discrimination import auroc
from ...domain.metrics.ranking import Ranking, mean
from ...domain.scorers import AnswerScorer
from .policies import checked
from .recorded_set import RecordedSet
from .report import Evaluation, Point, Row
from .resampling import Counts, Figures, Measured

ANSWER_LENGTH = "answer length, short first"
PROMPT_LENGTH = "prompt length, short first"
BASE_RATE = "the same for every answer"


class Scored:
    """Confidences beside what became of the answers."""

    def __init__(self, confidences: Sequence[float], right: Sequence[bool]) -> None:
        self._right = right
        self._ranking = Ranking(confidences)
        self._calibration = Calibration(confidences, right)

    def order(self, counts: Counts | None) -> Figures:
        """Whether the right answers come first."""
        return {"auroc": auroc(self._ranking, self._right, counts)}

    def figures(self, counts: Counts | None) -> Figures:
        """The order, and whether the confidences are shares of right answers."""
        calibration = self._calibration
        errors = {"ece": calibration.expected_error(counts), "brier": calibration.brier(counts)}
        return {**self.order(counts), **errors}


def evaluate_confidence(
    data: RecordedSet, scorer: AnswerScorer, model: ModelName, second: ModelName | None = None
) -> Evaluation:
    """What a scorer's confidence tells of the model's answers. Raises InvalidRequest."""
    if second == model:
        raise InvalidRequest(f"{model} is beside itself: the second answer is another model's")
    right = data.right(model)
    confidences = confidences_of(data, scorer, model, second)
    references = (
        Row(name=ANSWER_LENGTH, figures=_by_length(data.texts(model), right)),
        Row(name=PROMPT_LENGTH, figures=_by_length(data.questions(), right)),
    )
    asked = {"model": model, **({} if second is None else {"second": second})}
    return _evaluation(data, asked, scorer.version, confidences, references)


def evaluate_recorded_confidence(
    data: RecordedSet, scorer: str, model: ModelName, confidences: Sequence[float]
) -> Evaluation:
    """What the confidences tell that runs recorded of the model's answers, one for each. Raises InvalidRequest."""
    return _evaluation(data, {"model": model}, scorer, confidences, ())


def _evaluation(
    data: RecordedSet, asked: Mapping[str, str], scorer: str, confidences: Sequence[float], references: Sequence[Row]
) -> Evaluation:
    right, costs = data.right(asked["model"]), data.costs(asked["model"])
    scored = Scored(confidences, right)
    measured = Measured(lambda counts: {**scored.figures(counts), "quality": mean(right, counts)}, len(right))
    always = {"quality": mean(right)} | ({} if costs is None else {"usd_per_1000": 1000 * mean(costs)})
    same = [always["quality"]] * len(right)
    return Evaluation(
        kind="confidence",
        data=data,
        asked=asked,
        policy=Row(
            name=scorer,
            figures={**always, **measured.figures},
            intervals=measured.intervals(),
            points=_reliability(confidences, right),
        ),
        references=(*references, Row(name=BASE_RATE, figures=Scored(same, right).figures(None))),
        predictions=[{"id": one.id, "confidence": c} for one, c in zip(data.examples, confidences, strict=True)],
        notes=("usd_per_1000 is what the model's own answers cost",) if costs else (),
    )


def confidences_of(
    data: RecordedSet, scorer: AnswerScorer, model: ModelName, second: ModelName | None = None
) -> list[float]:
    """One for each answer of the model. Raises InvalidRequest where there are no answers."""
    texts = data.texts(model)
    others: Sequence[str | None] = [None] * len(texts) if second is None else data.texts(second)
    rows = zip(data.questions(), texts, others, strict=True)
    found = (scorer.confidence(question, text, model=model, second=other) for question, text, other in rows)
    return checked(scorer.version, found)


def _by_length(texts: Sequence[str], right: Sequence[bool]) -> Figures:
    return Scored([-float(len(text)) for text in texts], right).order(None)


def _reliability(confidences: Sequence[float], right: Sequence[bool]) -> list[Point]:
    """Mean confidence and share of right answers in each tenth that holds any."""
    points = []
    for bin_ in range(BINS):
        inside = [place for place, one in enumerate(confidences) if min(int(one * BINS), BINS - 1) == bin_]
        if inside:
            points.append((mean([confidences[place] for place in inside]), mean([right[place] for place in inside])))
    return points
