"""The page of results says of every evaluation what was found, and where it does not help."""

from __future__ import annotations

from model_orchestrator.application.evaluation.cascade import evaluate_cascade
from model_orchestrator.application.evaluation.ensemble import evaluate_ensemble
from model_orchestrator.application.evaluation.routing import evaluate_routing

from .benchmarks.results_page import Found, page
from .recorded import BIG, OTHER, SMALL, Taught, sums


def test_the_page_has_a_row_for_each_evaluation() -> None:
    """A policy that is no better than length is named as such; a kind that was not evaluated has no section."""
    data, policy = sums(), Taught()
    made = [
        evaluate_routing(data, policy, SMALL, BIG),
        evaluate_cascade(data, policy, SMALL, BIG),
        evaluate_ensemble(data, policy, [BIG, OTHER, SMALL]),
    ]
    text = page([data], [Found("mine", one, one.policy) for one in made], {"routing": "evaluate-routing.svg"})
    assert text.count(" | mine | ") == 3
    assert "length beyond doubt): sums: small → big (mine)." in text
    assert "](images/evaluate-routing.svg)" in text
    assert "## Ensembles" in text
    assert "## Confidence" not in text
    assert "trained on" not in text.partition("## Cascades")[0]
