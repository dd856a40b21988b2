"""A learned scorer from its weights as plain data, checked: of this release's features, whole and finite."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from . import answer_features, panel_features
from .ballot import Ballot
from .cascade import Cascade
from .scorer import OTHER_NAMES, PAIR_NAMES, LearnedScorer
from .term_weights import TermWeights
from .trees import Tree

FEATURES = {
    "single": [*answer_features.NAMES, "question_words", "answer_words", "skill"],
    "pair": list(PAIR_NAMES),
    "other": list(OTHER_NAMES),
    "ballot": list(panel_features.NAMES),
}  # that the trees of each name read, in this order; those of `single` and `other` read the models after them


def scorer_of(weights: Mapping[str, Any], version: str) -> LearnedScorer:
    """The scorer. Raises ValueError, TypeError or LookupError where the weights are not whole."""
    if weights["features"] != FEATURES:
        raise ValueError("its features are not this release's: train again")
    skills = {str(name): _finite(value) for name, value in weights["skills"].items()}
    trees = {name: weights[name] for name in FEATURES}
    for name, forest in trees.items():
        width = len(FEATURES[name]) + (len(skills) if name in ("single", "other") else 0)
        check_trees(forest, width)
    skill = _finite(weights["skill"])
    return LearnedScorer(
        version=version,
        models=tuple(skills),
        skills=skills,
        skill=skill,
        calibrations={name: _line(weights["calibrations"][name]) for name in skills},
        question_terms=_terms(weights["question_terms"]),
        answer_terms=_terms(weights["answer_terms"]),
        single=trees["single"],
        pair=trees["pair"],
        other=trees["other"],
        ballot=Ballot(version=version, trees=trees["ballot"], skills=skills, skill=skill),
        cascades=tuple(Cascade(**one) for one in weights["cascades"]),
    )


def check_trees(trees: Iterable[Tree], width: int) -> None:
    """Raises ValueError for a tree that is none, or reads a feature beyond `width`."""
    waiting = list(trees)
    while waiting:
        tree = waiting.pop()
        if isinstance(tree, list):
            place, threshold, left, right = tree
            if type(place) is not int or not 0 <= place < width:
                raise ValueError(f"a tree reads feature {place!r} of {width}")
            _finite(threshold)
            waiting += (left, right)
        else:
            _finite(tree)


def _terms(given: Mapping[str, Any]) -> TermWeights:
    weights, bias = given["weights"], _finite(given["bias"])
    if not isinstance(weights, dict) or not all(map(math.isfinite, weights.values())):
        raise ValueError("its terms have no weights")
    return TermWeights(weights, bias)


def _line(given: Any) -> tuple[float, float]:
    slope, intercept = map(_finite, given)
    return slope, intercept


def _finite(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
