"""The second check of a replay: what assessed a prompt or scored an answer does it again from the texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..domain.complexity import ASSESSOR
from ..domain.events import ConfidenceScored, PromptAssessed
from ..domain.judging import parse_score
from ..domain.run import Attempt, AttemptStatus, Run
from ..domain.scorers import judge_of
from ..domain.units import MILLION, Probability
from .decisions import assess
from .ports import Answer
from .recorded_texts import Texts
from .scoring import AnswerScorer

CLOSE = 1e-9  # of a probability: less is no difference
ScorerOf = Callable[[str], AnswerScorer | None]


@dataclass(frozen=True, slots=True)
class Unequal:
    """A figure that came out otherwise; scores are in millionths."""

    what: str  # assessment, or score of attempt N
    recorded: str | int
    again: str | int


@dataclass(slots=True)
class ScoreCheck:
    """What came of recomputing. `gone`: the texts were erased, or not kept; `lacking`: by name, not in this build."""

    equal: int = 0
    unequal: list[Unequal] = field(default_factory=list)
    gone: int = 0
    lacking: Counter[str] = field(default_factory=Counter)

    @property
    def compared(self) -> int:
        """How many were recomputed."""
        return self.equal + len(self.unequal)

    def add(self, other: ScoreCheck) -> None:
        """Count another's too."""
        self.equal += other.equal
        self.unequal += other.unequal
        self.gone += other.gone
        self.lacking += other.lacking


def check_scores(run: Run, texts: Texts, scorer_of: ScorerOf) -> ScoreCheck:
    """The run's assessment and each of its scores, from its texts."""
    found = ScoreCheck()
    if run.assessment is not None:
        _check_assessment(run.assessment, texts, found)
    for attempt in run.attempts:
        if attempt.confidence is not None:
            _check_score(run, attempt, attempt.confidence, texts, scorer_of, found)
    return found


def _check_assessment(recorded: PromptAssessed, texts: Texts, found: ScoreCheck) -> None:
    if recorded.assessor != ASSESSOR:
        found.lacking[recorded.assessor] += 1
    elif texts.request is None:
        found.gone += 1
    else:
        again = assess(texts.request)
        same_words = (again.capability, again.task_type) == (recorded.capability, recorded.task_type)
        if same_words and _close(again.confidence, recorded.confidence) and _alike(again.signals, recorded.signals):
            found.equal += 1
        else:
            said = [f"{one.capability.value}, {one.task_type.value}, {one.confidence}" for one in (recorded, again)]
            found.unequal.append(Unequal("assessment", said[0], said[1]))


def _check_score(
    run: Run, attempt: Attempt, recorded: ConfidenceScored, texts: Texts, scorer_of: ScorerOf, found: ScoreCheck
) -> None:
    if judge_of(recorded.scorer) is not None:
        judge = _judge_of(run, attempt)
        said = texts.answers.get(judge.number) if judge else None
        again = None if said is None else parse_score(said.text)
    else:
        scorer, answer = scorer_of(recorded.scorer), texts.answers.get(attempt.number)
        if scorer is None:
            found.lacking[recorded.scorer] += 1
            return
        again = _scored(scorer, attempt, answer, texts)
    if again is None:
        found.gone += 1
    elif _close(again, recorded.score):
        found.equal += 1
    else:
        found.unequal.append(Unequal(f"score of attempt {attempt.number}", recorded.score, again))


def _scored(scorer: AnswerScorer, attempt: Attempt, answer: Answer | None, texts: Texts) -> Probability | None:
    if answer is None or texts.request is None:
        return None
    return scorer.score(texts.request, answer, attempt.model).score


def _judge_of(run: Run, attempt: Attempt) -> Attempt | None:
    """The attempt that scored this one's answer."""
    plan = run.routing.plan if run.routing else ()
    calls = [index for index, call in enumerate(plan) if call.scores == attempt.started.call]
    answered = [one for index in calls for one in run.of_call(index) if one.status is AttemptStatus.ANSWERED]
    return answered[-1] if answered else None


def _alike(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return one.keys() == other.keys() and all(_close(one[name], other[name]) for name in one)


def _close(one: int, other: int) -> bool:
    """Whether two figures in millionths differ by no more than rounding would."""
    return abs(one - other) <= CLOSE * MILLION
