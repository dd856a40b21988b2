"""What roll-ups are kept apart by, as one number: sums then have short keys, and reports join the words back.

The number is a hash of the words, so that it is the same in every rebuild.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter

from .attempt_columns import ATTEMPT_COLUMNS
from .projection import Key, Rollup, Row, Sums, Table

WORDS = ("category", "strategy", "model", "provider", "money", "status", "owner")
DIMENSIONS = Table(
    "dimensions",
    (("dim", "INTEGER"), *((word, "TEXT") for word in WORDS), ("uses", "INTEGER")),
    key=("dim",),
    indexes=("(uses) WHERE uses = 0",),
)


@lru_cache(maxsize=100_000)
def dim_of(*words: str) -> int:
    """The number of a combination: 63 bits."""
    text = "".join(f"{len(word)}:{word}" for word in words)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


_PLACE = itemgetter(*(ATTEMPT_COLUMNS.index(name) for name in ("dim", *WORDS)))


def _of_attempts(rows: Sequence[Row]) -> Sums:
    uses: Counter[Key] = Counter(map(_PLACE, rows))
    return {key: (count,) for key, count in uses.items()}


def _of_escalations(rows: Sequence[Row]) -> Sums:
    uses: Counter[Key] = Counter()
    for row in rows:
        strategy, category, _, money, owner, from_model, to_model = row[3:10]
        for dim, model in ((row[-2], from_model), (row[-1], to_model)):
            uses[dim, category, strategy, model, "", money, "", owner] += 1
    return {key: (count,) for key, count in uses.items()}


ATTEMPT_DIMENSIONS = Rollup(DIMENSIONS, ("dim", *WORDS), ("uses",), _of_attempts)
ESCALATION_DIMENSIONS = Rollup(DIMENSIONS, ("dim", *WORDS), ("uses",), _of_escalations)
