"""What another score would have changed, and how two scorers agree."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from statistics import correlation, fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_orchestrator.application.rescore import OtherCourse, Turn, other_course, record_scores
from model_orchestrator.application.score_report import Agreement
from model_orchestrator.domain.events import RunRescored, StrategySettings
from model_orchestrator.domain.units import MILLION, Probability, probability

from .world import RUN, Stage, answer

UNSURE = "I'm not sure, I don't know, but it might possibly be 4?"


def chain(*texts: str, **settings: Any) -> Stage:
    """A fallback run that was answered so."""
    replies = iter([answer(text) for text in texts])

    async def reply(call: Any) -> Any:
        return next(replies)

    stage = Stage(reply)
    stage.run("What is 2+2?", strategy="fallback", settings=StrategySettings(**settings))
    return stage


def course(stage: Stage, **scores: float) -> OtherCourse | None:
    """By attempt: a1, a2, ..."""
    given = {int(name[1:]): probability(score) for name, score in scores.items()}
    return other_course(RUN, stage.events(), given)


def test_a_lower_score_would_have_gone_on() -> None:
    """To the chain's next model, at its expected cost."""
    stage = chain("The answer is 4.")
    turned = course(stage, a1=0.2)
    assert turned is not None
    assert (turned.turn, turned.attempt, turned.to_model) == (Turn.ESCALATED, 1, "claude-haiku-3.5")
    assert not turned.saved
    assert turned.expected_cost is not None
    assert turned.expected_cost > 0
    assert course(stage, a1=0.95) is None


def test_a_higher_score_would_have_stopped_and_saved_what_came_after() -> None:
    stage = chain(UNSURE, UNSURE, "The answer is 4.")
    turned = course(stage, a1=0.9)
    assert turned is not None
    later = [event.amount for event in stage.events() if type(event).__name__ == "CostIncurred"][1:]
    assert (turned.turn, turned.to_model, turned.saved) == (Turn.STOPPED, None, sum(later))
    second = course(stage, a1=0.1, a2=0.9)
    assert second is not None
    assert (second.attempt, second.saved) == (2, later[1])


def test_what_needs_no_score_does_not_turn() -> None:
    """One answer was asked for."""
    stage = Stage()
    stage.run()
    assert course(stage, a1=0.0) is None


def test_a_score_is_given_once_whoever_else_records_it() -> None:
    """Another process was first with one of two."""
    stage = chain(UNSURE, "The answer is 4.")
    first, second = (
        RunRescored(attempt=number, score=Probability(1), signals={}, scorer="s-1", by="local", judged_in=None)
        for number in (1, 2)
    )
    assert asyncio.run(record_scores(stage.log, RUN, [first]))[1] == [first]
    assert asyncio.run(record_scores(stage.log, RUN, [first, second]))[1] == [second]
    run, new = asyncio.run(record_scores(stage.log, RUN, [first, second]))
    assert (run.rescored, new) == ((first, second), [])
    assert stage.types().count("RunRescored") == 2


scores = st.integers(0, MILLION)


@given(st.lists(st.tuples(scores, scores, st.one_of(st.none(), scores)), min_size=2, max_size=30))
def test_agreement_is_what_statistics_says(pairs: Sequence[tuple[int, int, int | None]]) -> None:
    """Mean difference, Pearson's correlation, and the share on the other side."""
    agreement = Agreement()
    for pair in pairs:
        agreement.add(*pair)
    recorded, new = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    assert agreement.mean_difference == pytest.approx((fmean(new) - fmean(recorded)) / MILLION, abs=1e-12)
    if len(set(recorded)) > 1 and len(set(new)) > 1:
        assert agreement.correlation == pytest.approx(correlation(recorded, new), abs=1e-6)
    else:
        assert agreement.correlation is None
    judged = [(one >= limit) != (other >= limit) for one, other, limit in pairs if limit is not None]
    assert agreement.crossed_share == (sum(judged) / len(judged) if judged else None)
