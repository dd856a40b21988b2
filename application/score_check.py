"""The second check of a replay: what assessed a prompt or scored an answer does it again from the texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..domain.complexity import ASSESSOR
from ..domain.events import ConfidenceScored, PromptAssessed, RunEvent
from ..domain.judging import parse_score
from ..domain.run import Attempt, Run
from ..domain.scorers import judge_of
from ..domain.units import MILLION, Probability
from .decisions import assess
from .recorded_texts import Texts
from .scoring import LeftBehind, TextScorer

CLOSE = 1e-9  # of a probability: less is no difference
ScorerOf = Callable[[str], TextScorer | None]


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


def check_scores(run: Run, events: Sequence[RunEvent], texts: Texts, scorer_of: ScorerOf) -> ScoreCheck:
    """The run's assessment and each of its scores, from its texts. `events` are those it is folded from."""
    found, left_behind = ScoreCheck(), LeftBehind(run, texts.answers)
    if run.assessment is not None:
        _check_assessment(run.assessment, texts, found)
    for event in events:
        left_behind.see(event)
        if isinstance(event, ConfidenceScored):
            again = _Again(run, run.attempt(event.attempt), texts, left_behind.text)
            again.check(event, scorer_of, found)
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


@dataclass(frozen=True, slots=True)
class _Again:
    """What scoring an attempt's answer anew takes."""

    run: Run
    attempt: Attempt
    texts: Texts
    left_behind: str | None

    def check(self, recorded: ConfidenceScored, scorer_of: ScorerOf, found: ScoreCheck) -> None:
        """Count the score as equal, unequal, gone or not to be had."""
        if judge_of(recorded.scorer) is not None:
            score = self._judged()
        elif (scorer := scorer_of(recorded.scorer)) is not None:
            score = self._scored(scorer)
        else:
            found.lacking[recorded.scorer] += 1
            return
        if score is None:
            found.gone += 1
        elif _close(score, recorded.score):
            found.equal += 1
        else:
            found.unequal.append(Unequal(f"score of attempt {self.attempt.number}", recorded.score, score))

    def _scored(self, scorer: TextScorer) -> Probability | None:
        request, answer = self.texts.request, self.texts.answers.get(self.attempt.number)
        if request is None or answer is None:
            return None
        return scorer.score(request, answer, self.attempt.model, self.left_behind).score

    def _judged(self) -> Probability | None:
        """What the attempt that judged this one's answer said."""
        plan = self.run.routing.plan if self.run.routing else ()
        calls = [index for index, call in enumerate(plan) if call.scores == self.attempt.started.call]
        answered = [one for index in calls for one in self.run.of_call(index) if one.number in self.texts.answers]
        return parse_score(self.texts.answers[answered[-1].number].text) if answered else None


def _alike(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return one.keys() == other.keys() and all(_close(one[name], other[name]) for name in one)


def _close(one: int, other: int) -> bool:
    """Whether two figures in millionths differ by no more than rounding would."""
    return abs(one - other) <= CLOSE * MILLION
