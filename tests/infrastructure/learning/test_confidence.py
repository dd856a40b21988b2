"""What is trained serves the same figures, holds what it reports out, and refuses what teaches nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.learned.scorer import LearnedScorer
from model_orchestrator.domain.learned.scorer_weights import scorer_of
from model_orchestrator.domain.learned.trees import sigmoid
from model_orchestrator.infrastructure.dataset_rows import example
from model_orchestrator.infrastructure.learned_weights import load_scorer
from model_orchestrator.infrastructure.learning.answers import rows_of
from model_orchestrator.infrastructure.learning.cascades import Course, Guarantee, fix_cascade
from model_orchestrator.infrastructure.learning.confidence import ConfidenceLesson
from model_orchestrator.infrastructure.learning.confidence_report import model_reports
from model_orchestrator.infrastructure.learning.learned_confidence import Wanted, learned_confidence
from model_orchestrator.infrastructure.learning.platt import platt
from model_orchestrator.infrastructure.learning.word_values import ridge
from tests import recorded_sums

ROWS = recorded_sums.rows()


@pytest.fixture(scope="module")
def lesson() -> ConfidenceLesson:
    return ConfidenceLesson(rows_of("sums", map(example, ROWS), ()))


@pytest.fixture(scope="module")
def scorer(lesson: ConfidenceLesson) -> LearnedScorer:
    return scorer_of(json.loads(json.dumps(lesson.weights())), "learned-test")


def test_what_serves_says_what_was_trained(lesson: ConfidenceLesson, scorer: LearnedScorer) -> None:
    rows = lesson.rows[:60]
    values = [
        [
            *row.values,
            scorer.question_terms.value(row.question),
            scorer.answer_terms.value(row.said),
            scorer.skills[row.model],
            *lesson.is_model(row.model),
        ]
        for row in rows
    ]
    margins = lesson.single.all.margins(np.array(values))
    for row, margin in zip(rows, margins.tolist(), strict=True):
        line = ROWS[row.example]
        slope, intercept = lesson.calibrations[row.model]
        served = scorer.confidence(line["prompt"], line["models"][row.model]["text"], model=row.model)
        assert served == pytest.approx(sigmoid(slope * margin + intercept), abs=1e-4)


def test_held_out_confidences_tell_right_from_wrong(lesson: ConfidenceLesson) -> None:
    reports = {(one.model, one.second): one.quality for one in model_reports(lesson, ["large"])}
    assert reports["small", None].auroc.value > 0.9
    assert reports["small", None].ece.value < 0.15
    assert reports["tiny", "large"].auroc.value > 0.9
    assert ("large", "large") not in reports


def test_a_prompt_stands_in_one_fold_whatever_the_set(lesson: ConfidenceLesson) -> None:
    again = rows_of("others", map(example, ROWS), (), start=1_000)
    assert [row.fold for row in again] == [row.fold for row in lesson.rows]


def test_agreement_with_a_second_answer_raises_the_confidence(scorer: LearnedScorer) -> None:
    line = ROWS[3]
    right = line["models"]["large"]["text"]
    agreeing = scorer.confidence(line["prompt"], right, second=right)
    assert agreeing > scorer.confidence(line["prompt"], right, second="7 * 7 = 50. The answer is 50.")


def test_a_strong_model_gains_more_over_a_wrong_answer(scorer: LearnedScorer) -> None:
    right, wrong = "6 * 7 = 42. The answer is 42.", "Wait, let me check that again. 6 * 7 = 45. The answer is 45."
    gains = [scorer.gain("Case 1: what is 6 * 7?", text, model="tiny", strong="large") for text in (right, wrong)]
    assert gains[0] < gains[1]


def test_a_cascade_reaches_the_strong_model_at_a_lower_cost(lesson: ConfidenceLesson) -> None:
    report = fix_cascade(lesson, "small", "large", None, Guarantee(risk=0.1, confidence=0.9))
    assert report.held_out.accuracy >= report.strong_accuracy - 0.04
    assert report.held_out.strong_share < 0.7
    assert report.guaranteed is not None
    assert report.guaranteed.risk <= 0.1
    kept = report.held_out.accuracy, report.held_out.cost, report.strong_accuracy
    fixed = report.cascade
    assert (fixed.held_out_accuracy, fixed.held_out_cost, fixed.strong_accuracy) == pytest.approx(kept, abs=1e-6)


def test_prompts_said_again_and_again_prove_no_more(lesson: ConfidenceLesson) -> None:
    """A guarantee takes equal prompts as one: their losses are not independent."""
    course, asked = Course(lesson, "small", "large", None), Guarantee(risk=0.05, confidence=0.95)
    once = course.guaranteed(np.arange(len(course.prompts)) < 60, asked)
    for name in ("gains", "weak", "strong"):
        setattr(course, name, np.tile(getattr(course, name)[:60], 5))
    course.prompts = course.prompts[:60] * 5
    assert course.guaranteed(np.ones(300, dtype=bool), asked) == once


def test_the_same_rows_give_the_same_file(tmp_path: Path) -> None:
    path = recorded_sums.write(tmp_path / "sums.jsonl", ROWS)
    first, second = (learned_confidence([str(path)], Wanted(models=("tiny", "large")))[0] for _ in range(2))
    assert first == second
    weights = tmp_path / "weights.json"
    weights.write_text(first, encoding="utf-8")
    assert load_scorer(weights).models == ("large", "tiny")


def test_weights_of_one_model_score_without_a_second(tmp_path: Path) -> None:
    path = recorded_sums.write(tmp_path / "sums.jsonl", ROWS)
    weights = tmp_path / "weights.json"
    weights.write_text(learned_confidence([str(path)], Wanted(models=("small",)))[0], encoding="utf-8")
    scorer = load_scorer(weights)
    answer = "2 * 3 = 6. The answer is 6."
    assert scorer.confidence("q", answer, second=answer) == scorer.confidence("q", answer)
    with pytest.raises(InvalidRequest, match="knows no gain"):
        scorer.gain("q", answer, strong="large")


def changed(**outcome: Any) -> list[dict[str, Any]]:
    return [{**row, "models": {name: {**one, **outcome} for name, one in row["models"].items()}} for row in ROWS]


@pytest.mark.parametrize(
    ("rows", "models", "told"),
    [
        ([], (), "no prompts to learn from"),
        (ROWS, ("nobody",), "no outcomes of nobody: choose among large, small, tiny"),
        (ROWS[:20], (), "20 answers with a text, at least 50"),
        (changed(text=None), (), "0 answers with a text"),
        (changed(score=1), (), "every answer of large is right"),
        (changed(score=0), ("tiny",), "every answer of tiny is wrong"),
    ],
)
def test_what_teaches_nothing_is_refused(rows: list[dict[str, Any]], models: tuple[str, ...], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        rows_of("sums", map(example, rows), models)


def test_beside_a_second_model_nothing_is_reported_of_answers_of_one_kind() -> None:
    """As a log may hold them: the other model was asked only where the first was right."""
    lines = [
        line if line["models"]["small"]["score"] else line | {"models": {**line["models"], "tiny": None}}
        for line in ROWS
    ]
    kept = [line | {"models": {name: one for name, one in line["models"].items() if one}} for line in lines]
    lesson = ConfidenceLesson(rows_of("sums", map(example, kept), ()))
    reported = {(one.model, one.second) for one in model_reports(lesson, ["tiny"])}
    assert ("large", "tiny") in reported
    assert ("small", "tiny") not in reported


def test_ridge_is_the_least_squares_of_counted_rows() -> None:
    """As the normal equations say, with the bias free of the penalty."""
    draw = np.random.default_rng(4)
    matrix, targets, counts = draw.random((60, 7)), draw.random(60), draw.integers(1, 5, 60).astype(float)
    weights, bias = ridge(csr_matrix(matrix), targets, counts, 3.0)
    left = counts * (targets - matrix @ weights - bias)
    assert left.sum() == pytest.approx(0, abs=1e-9)
    assert matrix.T @ left == pytest.approx(3 * weights, abs=1e-4)


def test_platt_finds_the_line_that_answers_were_drawn_by() -> None:
    """It leaves nothing: the mean chance is the share of right answers. Logits without fault get a finite line."""
    draw = np.random.default_rng(5)
    margins = draw.normal(size=4_000) * 3
    right = (draw.random(4_000) < 1 / (1 + np.exp(-(0.8 * margins + 0.5)))).astype(float)
    slope, intercept = platt(margins, right)
    assert (slope, intercept) == pytest.approx((0.8, 0.5), abs=0.1)
    assert float(np.mean(1 / (1 + np.exp(-(slope * margins + intercept))))) == pytest.approx(right.mean(), abs=1e-5)
    assert 1 < platt(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 1.0]))[0] < 100
