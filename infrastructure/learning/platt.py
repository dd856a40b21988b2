"""Logits brought to what became of them: one slope and one intercept. Source: Platt, 1999."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from .forests import Array

PLACES = 6


def platt(margins: Array, right: Array) -> tuple[float, float]:
    """Slope and intercept; as they are where all answers are of one kind."""
    if len(np.unique(right)) < 2:
        return 1.0, 0.0
    line = LogisticRegression(C=1e6, max_iter=200).fit(margins[:, None], right)
    return round(float(line.coef_[0, 0]), PLACES), round(float(line.intercept_[0]), PLACES)
