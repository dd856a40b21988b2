"""What roll-ups are kept apart by, as one number: sums then have short keys, and reports join the words back.

The number is a hash of the words, so that it is the same in every rebuild.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from .projection import Rollup, Table

WORDS = ("category", "strategy", "model", "provider", "money", "status")
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


def _uses(dim: str, words: dict[str, str]) -> str:
    chosen = ", ".join(words.get(word, f"max(s.{word})") for word in WORDS)
    return f"SELECT s.{dim}, {chosen}, sum(s.sign) FROM {{staged}} WHERE true GROUP BY s.{dim}"


def _of_escalation(end: str) -> str:
    words = {"model": f"max(s.{end}_model)", "provider": "''", "money": "max(s.run_money)", "status": "''"}
    return _uses(f"{end}_dim", words)


_KEYS = ("dim", *WORDS)
ATTEMPT_DIMENSIONS = Rollup(DIMENSIONS, _KEYS, ("uses",), (_uses("dim", {}),))
ESCALATION_DIMENSIONS = Rollup(DIMENSIONS, _KEYS, ("uses",), (_of_escalation("from"), _of_escalation("to")))
