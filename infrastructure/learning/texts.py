"""Training texts as a matrix, the linear scores fitted on it, and how they are written for serving."""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags, hstack

from ...domain.learned.features import NAMES, form, grams, read
from ...domain.learned.linear import CLIP, OFFSET, PLACE, RARITY

SEEN = 12  # prompts a gram must occur in
FORM = 0.05  # what a deviation of form counts beside the words, whose rows have length 1
PENALTY = 4.0
LARGEST = 511  # steps of a stored weight
ROUNDS, CLOSE = 60, 1e-4

Array = Any  # numpy's arrays and scipy's matrices


class Corpus:
    """Prompts, read once: what folds share."""

    def __init__(self, prompts: Sequence[str]) -> None:
        self.prompts = sorted(set(prompts))
        readings = [read(prompt) for prompt in self.prompts]
        self.grams = [grams(reading) for reading in readings]
        self.forms = np.array([form(reading) for reading in readings])
        self._places = {prompt: place for place, prompt in enumerate(self.prompts)}

    def places(self, prompts: Sequence[str]) -> Array:
        """Where the prompts are."""
        return np.array([self._places[prompt] for prompt in prompts])


class Texts:
    """A corpus as a matrix, with the words, rarities and scales of the prompts at `places`."""

    def __init__(self, corpus: Corpus, places: Array) -> None:
        counts = Counter(gram for place in places for gram in corpus.grams[place])
        self.names = sorted(gram for gram, count in counts.items() if count >= min(SEEN, 1 + len(places) // 50))
        seen = np.array([counts[name] for name in self.names])
        self.rarity = np.log((1 + len(places)) / (1 + seen)) + 1
        self.squares = np.round(self.rarity**2 * RARITY).astype(np.int64)
        self.centers = digits(corpus.forms[places].mean(0))
        self.scales = digits(corpus.forms[places].std(0))
        self.scales[self.scales < 1e-6] = 1.0
        words = self._presence(corpus)
        norms = np.sqrt(np.maximum(words @ self.squares, 1) / RARITY)
        self.forms = np.clip((corpus.forms - self.centers) / self.scales, -CLIP, CLIP)
        self.matrix = hstack([diags(1 / norms) @ words @ diags(self.rarity), csr_matrix(self.forms * FORM)]).tocsr()

    def _presence(self, corpus: Corpus) -> Array:
        columns = {name: place for place, name in enumerate(self.names)}
        rows = [sorted(columns[gram] for gram in found if gram in columns) for found in corpus.grams]
        starts = np.cumsum([0, *map(len, rows)])
        flat = np.array([column for row in rows for column in row], dtype=np.int64)
        return csr_matrix((np.ones(len(flat)), flat, starts), shape=(len(rows), len(self.names)))

    def weights(self, fitted: Fitted) -> dict[str, Any]:
        """The linear scores as LinearScores reads them."""
        rare = fitted.weights[: len(self.names)] * self.rarity[:, None]
        steps = digits(np.maximum(np.abs(rare).max(0), 1e-9) / LARGEST)
        stored = np.round(rare / steps).astype(np.int64) + OFFSET
        table = np.concatenate([stored, self.squares[:, None]], axis=1).astype(f"<u{PLACE}")
        return {
            "grams": "\n".join(self.names),
            "table": base64.b64encode(zlib.compress(table.tobytes(), 9)).decode(),
            "steps": steps.tolist(),
            "biases": digits(fitted.means).tolist(),
            "form_names": list(NAMES),
            "form": digits(fitted.weights[len(self.names) :].T * FORM).tolist(),
            "centers": self.centers.tolist(),
            "scales": self.scales.tolist(),
        }


class Fitted:
    """Linear scores: a column each."""

    def __init__(self, weights: Array, means: Array) -> None:
        self.weights, self.means = weights, means

    def of(self, matrix: Array) -> Array:
        """The scores of the matrix's rows."""
        return matrix @ self.weights + self.means

    @classmethod
    def joined(cls, parts: Sequence[Fitted]) -> Fitted:
        """The columns of all, side by side."""
        return cls(np.hstack([part.weights for part in parts]), np.concatenate([part.means for part in parts]))


def ridge(matrix: Array, targets: Array) -> Fitted:
    """Least squares with a penalty, for all targets at once, by conjugate gradients on the rows."""
    means = targets.mean(0)
    turned = matrix.T.tocsr()
    found, left = np.zeros_like(targets), targets - means
    way, size = left.copy(), (left * left).sum(0)
    start = size
    for _ in range(ROUNDS):
        if (size <= CLOSE**2 * start).all():
            break
        pushed = matrix @ (turned @ way) + PENALTY * way
        length = size / np.maximum((way * pushed).sum(0), 1e-30)
        found, left = found + length * way, left - length * pushed
        after = (left * left).sum(0)
        way, size = left + after / np.maximum(size, 1e-30) * way, after
    return Fitted(turned @ found, means)


def digits(values: Array, count: int = 6) -> Array:
    """As many significant digits as a file needs: the same everywhere, and short."""
    return np.array([float(f"{value:.{count}g}") for value in np.ravel(values)]).reshape(np.shape(values))
