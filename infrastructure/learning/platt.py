"""Logits brought to what became of them: one slope and one intercept. Source: Platt, 1999."""

from __future__ import annotations

import numpy as np

from .forests import Array

PLACES = 6
PENALTY = 1e-6  # of the slope's square, for answers that the logits tell apart without fault
ROUNDS, CLOSE = 100, 1e-10


def platt(margins: Array, right: Array) -> tuple[float, float]:
    """Slope and intercept, by Newton's method; as they are where all answers are of one kind."""
    if len(np.unique(right)) < 2:
        return 1.0, 0.0
    slope = intercept = 0.0
    for _ in range(ROUNDS):
        said = 1 / (1 + np.exp(-np.clip(slope * margins + intercept, -30, 30)))
        off, spread = said - right, said * (1 - said)
        down, level = float((off * margins).sum() + PENALTY * slope), float(off.sum())
        steep, flat = float((spread * margins**2).sum() + PENALTY), float(spread.sum() + PENALTY)
        both = float((spread * margins).sum())
        area = steep * flat - both**2
        change, shift = (flat * down - both * level) / area, (steep * level - both * down) / area
        slope, intercept = slope - change, intercept - shift
        if abs(change) + abs(shift) < CLOSE:
            break
    return round(slope, PLACES), round(intercept, PLACES)
