"""What people and tests say of an answer, as events of its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..domain.dataset import Example
from ..domain.errors import InvalidRequest
from ..domain.events import ContentRef, FeedbackGiven, RunCompleted
from ..domain.expectation import is_expected
from ..domain.run import Run
from ..domain.units import MILLION, Probability, probability
from .decisions import answers
from .ports import Appended, Content, RunLog
from .recorded_texts import Texts
from .runs import load_run

WORDS = {"good": 1.0, "bad": 0.0}
EXPECT = "expect"  # who gives the feedback of an expected answer
DATASET = "dataset"  # who gives that of a recorded one


def feedback_value(text: str) -> Probability:
    """good, bad, or a number from 0 (wrong) to 1 (right). Raises InvalidRequest."""
    try:
        value = WORDS[text] if text in WORDS else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InvalidRequest(f"feedback {text!r}: expected good, bad, or a number from 0 to 1")
    return probability(value)


async def give_feedback(
    log: RunLog, run_id: str, given: Sequence[FeedbackGiven], *, note: str | None = None, keeps_texts: bool = True
) -> list[FeedbackGiven]:
    """Record what is said of a run's answers, the last with a note; what its author said last is not said again.

    Raises InvalidRequest for a run that has no answer, and for a note where texts are not kept.
    """
    while True:
        run = (await load_run(log, run_id)).run
        if not isinstance(run.ended, RunCompleted):
            raise InvalidRequest(f"{run_id} has no answer to say anything of: it is {run.status.value}")
        new, contents = _new(run, given), list[Content]()
        if note is not None:
            reference, contents = await _kept(log, run, note, keeps_texts=keeps_texts)
            new = [*(one for one in new if one != given[-1]), replace(given[-1], note=reference)]
        if not new:
            return []
        result, _ = await log.append(run_id, expected=run.version, events=new, contents=contents)
        if isinstance(result, Appended):
            return new


def _new(run: Run, given: Sequence[FeedbackGiven]) -> list[FeedbackGiven]:
    """Those whose author did not say the same last."""
    last = {(one.by, one.attempt): one.value for one in run.feedback}
    return [one for one in given if last.get((one.by, one.attempt)) != one.value]


async def _kept(log: RunLog, run: Run, note: str, *, keeps_texts: bool) -> tuple[ContentRef, list[Content]]:
    """The note as a text of the run, which goes when the run's texts go."""
    assert run.started is not None, "a completed run was started"
    if not note.strip():
        raise InvalidRequest("the note is empty: leave it out, or say something")
    request = run.started.request
    if not keeps_texts or request is None or await log.text(request) is None:
        raise InvalidRequest(f"{run.id} keeps no texts (not stored, or erased): give the feedback without a note")
    return log.keep_text(run.id, note, run.started.subject)


def compared(run: Run, texts: Texts, answer: str, expected: str, question: str) -> list[FeedbackGiven]:
    """What an expected answer says of each answer of the run, of the one it ended with last."""
    ended = run.ended.attempt if isinstance(run.ended, RunCompleted) else None
    others = [one.number for one in answers(run) if one.number != ended and one.number in texts.answers]
    said = [(number, texts.answers[number].text) for number in others]
    return [
        FeedbackGiven(
            value=Probability(MILLION * is_expected(text, expected, question=question)),
            by=EXPECT,
            attempt=number,
            note=None,
        )
        for number, text in [*said, (None, answer)]
    ]


def graded(run: Run, row: Example) -> list[FeedbackGiven]:
    """What a data set's grades say of each recorded answer of the run, of the one it ended with last.

    A grade beyond 0 to 1 says nothing.
    """
    ended = run.ended.attempt if isinstance(run.ended, RunCompleted) else None
    grades = [(one.number, row.outcomes[one.model].score) for one in answers(run) if one.model in row.outcomes]
    return [
        FeedbackGiven(value=probability(grade), by=DATASET, attempt=None if number == ended else number, note=None)
        for number, grade in sorted(grades, key=lambda one: one[0] == ended)
        if 0 <= grade <= 1
    ]
