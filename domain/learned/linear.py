"""Many linear scores of a text at once: a weight for each word, pair of words, and property of its form.

A gram's weights for all scores lie in one integer, 32 bits a score, so that summing a prompt's grams is one addition a
gram, and exact whatever the order. The last place holds the square of the gram's rarity, for the text's norm.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from operator import mul
from typing import Any

from .features import NAMES, Reading, form, grams

OFFSET = 2_048  # added to every stored weight, so that none is negative
PLACE = 4  # bytes
RARITY = 64  # steps of the squared rarity
CLIP = 6.0  # deviations of form


@dataclass(frozen=True, slots=True)
class Scores:
    """What is read of one text: its form, standardised, and the sums of its grams, one a score."""

    form: Sequence[float]
    sums: Sequence[float]


class LinearScores:
    """Made of `grams` (lines), `table` (zlib, base64), `steps`, `biases`, `form` (rows) and its `centers`, `scales`."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        names = weights["grams"].split("\n")
        table = zlib.decompress(base64.b64decode(weights["table"], validate=True))
        self._steps: list[float] = weights["steps"]
        width = PLACE * (len(self._steps) + 1)
        if len(table) != width * len(names):
            raise ValueError(f"{len(names)} grams need {width * len(names)} bytes, {len(table)} are there")
        rows = (table[start : start + width] for start in range(0, len(table), width))
        self._table = {name: int.from_bytes(row, "little") for name, row in zip(names, rows, strict=True)}
        self._unpack = struct.Struct(f"<{len(self._steps) + 1}I").unpack
        self._width = width
        self._biases: list[float] = weights["biases"]
        self._form: list[list[float]] = weights["form"]
        self._centers: list[float] = weights["centers"]
        self._scales: list[float] = weights["scales"]

    def read(self, reading: Reading) -> Scores:
        """The text's sums, to take scores from."""
        found = list(filter(None, map(self._table.get, grams(reading))))
        *sums, norm = self._unpack(sum(found).to_bytes(self._width, "little"))
        scale = sqrt(RARITY / norm) if norm else 0.0
        shift = OFFSET * len(found)
        standard = [
            min(CLIP, max(-CLIP, (value - center) / by))
            for value, center, by in zip(form(reading), self._centers, self._scales, strict=True)
        ]
        return Scores(standard, [(value - shift) * step * scale for value, step in zip(sums, self._steps, strict=True)])

    def value(self, scores: Scores, place: int) -> float:
        """A value of the text's form as it was before it was standardised, but for the clipping."""
        return self._centers[place] + self._scales[place] * scores.form[place]

    def score(self, scores: Scores, place: int) -> float:
        """One of the text's scores."""
        return self._biases[place] + scores.sums[place] + dot(self._form[place], scores.form)

    def parts(self, reading: Reading, place: int) -> dict[str, float]:
        """What each word or pair of words (quoted) and property of its form adds to one of a text's scores."""
        known = sorted(gram for gram in grams(reading) if gram in self._table)
        rows = {gram: self._unpack(self._table[gram].to_bytes(self._width, "little")) for gram in known}
        norm = sum(row[-1] for row in rows.values())
        scale = self._steps[place] * (sqrt(RARITY / norm) if norm else 0.0)
        words = {f"'{gram}'": (row[place] - OFFSET) * scale for gram, row in rows.items()}
        standard = self.read(reading).form
        return words | dict(zip(NAMES, map(mul, self._form[place], standard), strict=True))


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    """The sum of the products."""
    total: float = sum(map(mul, one, other))
    return total
