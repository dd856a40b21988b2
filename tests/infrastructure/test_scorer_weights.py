"""Weights of a scorer as a file: whole, or refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.domain.learned.scorer_weights import FEATURES
from model_orchestrator.infrastructure.learned_weights import load_scorer, shipped_scorer, weights_file

WEIGHTS: dict[str, Any] = {
    "features": FEATURES,
    "skills": {"small": 0.5},
    "skill": 0.5,
    "calibrations": {"small": [1.0, 0.0]},
    "question_terms": {"weights": {"prove": -1.0}, "bias": 0.0},
    "answer_terms": {"weights": {}, "bias": 0.0},
    "single": [[0, 3.5, 1.0, -1.0]],
    "pair": [],
    "other": [],
    "ballot": [],
    "cascades": [],
}


def text(**changes: Any) -> str:
    return weights_file("confidence", WEIGHTS | changes, sources=[], trained={})


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_a_file_is_a_scorer_named_by_its_hash(tmp_path: Path) -> None:
    path = written(tmp_path / "w.json", text())
    scorer = load_scorer(path)
    assert scorer.version == f"learned-{json.loads(path.read_text(encoding='utf-8'))['sha256'][:8]}"
    assert scorer.confidence("Short?", "Yes.") > 0.7 > 0.3 > scorer.confidence("A much longer question?" * 3, "Yes.")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda one: "", "is not JSON"),
        (lambda one: one[:100], "is not JSON"),
        (lambda one: "[]", "holds no weights"),
        (lambda one: '{"format": "other"}', "holds no weights"),
        (lambda one: one.replace('"format_version":1', '"format_version":2'), "has format 2, this release reads 1"),
        (lambda one: one.replace('"kind":"confidence"', '"kind":"routing"'), "holds routing weights"),
        (lambda one: one.replace("3.5", "3.6"), "is damaged"),
        (lambda one: one.replace("3.5", "NaN"), "is not JSON"),
    ],
)
def test_what_is_no_whole_file_is_refused(tmp_path: Path, spoil: Callable[[str], str], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        load_scorer(written(tmp_path / "w.json", spoil(text())))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"features": {**FEATURES, "pair": []}}, "not this release's: train again"),
        ({"single": [[9_999, 1.0, 0.0, 1.0]]}, "reads feature 9999"),
        ({"single": [[-1, 1.0, 0.0, 1.0]]}, "reads feature -1"),
        ({"single": [[0, 1.0, 0.0]]}, "is damaged"),
        ({"single": ["1"]}, "is no number"),
        ({"calibrations": {}}, "is damaged"),
        ({"question_terms": {"weights": {"a": "b"}, "bias": 0.0}}, "is damaged"),
        ({"cascades": [{"weak": "a"}]}, "is damaged"),
    ],
)
def test_weights_that_cannot_be_served_are_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        load_scorer(written(tmp_path / "w.json", text(**changes)))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot read"):
        load_scorer(tmp_path / "none.json")


def test_the_shipped_scorer_knows_its_models_and_cascades() -> None:
    scorer = shipped_scorer()
    assert "gpt-4o-mini-2024-07-18" in scorer.models
    best = scorer.cascade("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06")
    assert best is not None
    assert best.second == "gemini-1.5-flash"
    assert best.is_as_good
    assert best.held_out_cost is not None
    assert best.held_out_cost < 0.5
    assert scorer.cascade("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18") is None


def test_the_shipped_scorer_trusts_agreement_and_sums_that_hold() -> None:
    scorer, question = shipped_scorer(), "A pen costs $3 and a book $12. What do 4 pens and 2 books cost in dollars?"
    right = "4 pens cost 4 * 3 = 12 dollars and 2 books 2 * 12 = 24 dollars, so 12 + 24 = 36. The answer is 36."
    other = "It is 4 * 3 + 12 = 24 dollars. The answer is 24."
    model = "gpt-4o-mini-2024-07-18"
    alone = scorer.confidence(question, right, model=model)
    assert alone > 0.8
    assert scorer.confidence(question, right, model=model, second=right) > alone - 0.05
    assert scorer.confidence(question, right, model=model, second=other) < alone
    assert scorer.confidence(question, right) == scorer.confidence(question, right, model="never heard of")
