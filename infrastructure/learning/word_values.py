"""Weights of terms, by ridge regression on their presence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge

from ...domain.learned.term_weights import TermWeights
from .forests import Array

DIGITS = 4  # significant digits of a weight


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
        ridge = Ridge(alpha=self.penalty, solver="sparse_cg", tol=1e-4).fit(matrix, targets, sample_weight=weights)
        found = {term: float(f"{weight:.{DIGITS}g}") for term, weight in zip(names, ridge.coef_, strict=True)}
        return TermWeights(found, round(float(ridge.intercept_), 6))
