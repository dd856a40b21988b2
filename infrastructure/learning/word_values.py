"""Weights of terms, by ridge regression on their presence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from ...domain.learned.term_weights import TermWeights
from .forests import Array

DIGITS = 4  # significant digits of a weight
ROUNDS, CLOSE = 300, 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How terms are weighed: those in at least `least` texts, with this penalty."""

    least: int
    penalty: float

    def fit(self, texts: Sequence[Sequence[str]], targets: Array, weights: Array) -> TermWeights:
        """The terms' weights; each text's terms are distinct."""
        counts = Counter(term for terms in texts for term in terms)
        names = sorted(term for term, count in counts.items() if count >= self.least)
        place = {term: column for column, term in enumerate(names)}
        ends, columns, values = [0], [], []
        for terms in texts:
            known = [place[term] for term in terms if term in place]
            columns += known
            values += [1 / np.sqrt(len(known) or 1)] * len(known)
            ends.append(len(columns))
        matrix = csr_matrix((values, columns, ends), shape=(len(texts), len(names)))
        found, bias = ridge(matrix, targets, weights, self.penalty)
        rounded = {term: float(f"{weight:.{DIGITS}g}") for term, weight in zip(names, found.tolist(), strict=True)}
        return TermWeights(rounded, round(bias, 6))


def ridge(matrix: csr_matrix, targets: Array, counts: Array, penalty: float) -> tuple[Array, float]:
    """Weights and bias of least squares with a penalty, each row counted so often, by conjugate gradients.

    Equal data gives equal bits: sums go by numpy in one order, no BLAS whose order changes with threads or memory.
    """
    turned, total = matrix.T.tocsr(), counts.sum()
    center, mean = turned @ counts / total, (counts * targets).sum() / total

    def pulled(residual: Array) -> Array:
        weighed = counts * residual
        return np.asarray(turned @ weighed - center * weighed.sum())

    found = np.zeros(matrix.shape[1])
    left = pulled(targets - mean)
    way, size = left.copy(), (left * left).sum()
    enough = CLOSE**2 * size
    for _ in range(ROUNDS):
        if size <= enough:
            break
        pushed = pulled(matrix @ way - (center * way).sum()) + penalty * way
        length = size / (way * pushed).sum()
        found, left = found + length * way, left - length * pushed
        size, before = (left * left).sum(), size
        way = left + size / before * way
    return found, float(mean - (center * found).sum())
