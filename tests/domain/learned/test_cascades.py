"""Which of the cascades that training fixed for a pair is used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model_orchestrator.domain.learned.cascade import Cascade
from model_orchestrator.domain.learned.scorer import LearnedScorer
from model_orchestrator.domain.learned.scorer_weights import FEATURES, scorer_of

ALONE = Cascade(
    weak="small",
    strong="large",
    second=None,
    gain=0.1,
    guaranteed_gain=None,
    held_out_cost=0.8,
    held_out_accuracy=0.8,
    strong_accuracy=0.8,
)
BESIDE = replace(ALONE, second="tiny", held_out_cost=0.4, held_out_accuracy=0.796)


def trained(*cascades: Cascade) -> LearnedScorer:
    """A scorer with these."""
    found = scorer_of(
        {
            "features": FEATURES,
            "skills": {},
            "skill": 0.0,
            "calibrations": {},
            "question_terms": {"weights": {}, "bias": 0.0},
            "answer_terms": {"weights": {}, "bias": 0.0},
            **dict.fromkeys(FEATURES, ()),
            "cascades": [],
        },
        "learned-test",
    )
    return replace(found, cascades=cascades)


@pytest.mark.parametrize(
    ("beside", "best"),
    [
        (BESIDE, BESIDE),
        (replace(BESIDE, held_out_cost=0.9), ALONE),
        (replace(BESIDE, held_out_accuracy=0.794), ALONE),
        (replace(BESIDE, held_out_cost=None), ALONE),
    ],
    ids=["cheaper", "dearer", "less often right", "of unknown cost"],
)
def test_the_cheapest_of_those_as_good_as_the_strong_model_is_used(beside: Cascade, best: Cascade) -> None:
    """Whatever their order; what is asked for by name is given."""
    for cascades in ((ALONE, beside), (beside, ALONE)):
        scorer = trained(*cascades)
        assert scorer.cascade("small", "large") == best
        assert scorer.cascade("small", "large", second=True) == beside
        assert scorer.cascade("small", "large", second=False) == ALONE


def test_where_none_is_as_good_the_closest_is_used() -> None:
    """And no other pair's."""
    lower = replace(ALONE, held_out_accuracy=0.7), replace(BESIDE, held_out_accuracy=0.75)
    assert trained(*lower).cascade("small", "large") == lower[1]
    assert trained(*lower).cascade("large", "small") is None
    assert trained(ALONE).cascade("small", "large", second=True) is None
