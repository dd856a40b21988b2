"""Boosted trees for a yes or no, trained with LightGBM and written as the trees that serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np

from ...domain.learned.trees import Tree

Array = np.ndarray[Any, np.dtype[Any]]
PLACES = 6  # decimals of a leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How trees are grown. Fixed by cross-validation on the dev halves."""

    rounds: int
    rate: float
    leaves: int
    share: float  # of the features that a tree may read
    least: int  # rows of a leaf


class Forest:
    """Trees that were grown; the same rows give the same trees."""

    def __init__(self, values: Array, right: Array, growth: Growth) -> None:
        options = {
            "objective": "binary",
            "learning_rate": growth.rate,
            "num_leaves": growth.leaves,
            "feature_fraction": growth.share,
            "min_data_in_leaf": growth.least,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "lambda_l2": 10.0,
            "boost_from_average": False,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "seed": 0,
            "verbose": -1,
        }
        self._booster = lightgbm.train(options, lightgbm.Dataset(values, right), growth.rounds)

    def margins(self, values: Array) -> Array:
        """The logit of each row."""
        return np.asarray(self._booster.predict(values, raw_score=True))

    def trees(self) -> list[Tree]:
        """As they are served."""
        return [_tree(one["tree_structure"]) for one in self._booster.dump_model()["tree_info"]]


def _tree(node: dict[str, Any]) -> Tree:
    if "leaf_value" in node:
        return round(float(node["leaf_value"]), PLACES)
    left, right = _tree(node["left_child"]), _tree(node["right_child"])
    return [int(node["split_feature"]), float(node["threshold"]), left, right]
