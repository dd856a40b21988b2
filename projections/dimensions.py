"""What roll-ups are kept apart by, as one number: sums then have short keys, and reports join the words back.

The number is a hash of the words, so that it is the same in every rebuild.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

from .projection import Names, Table, Tables

Words = tuple[str, ...]
WORDS = ("category", "strategy", "model", "provider", "money", "status")
DIMENSIONS = Table("dimensions", (("dim", "INTEGER"), *((word, "TEXT") for word in WORDS)), key=("dim",))


@lru_cache(maxsize=100_000)
def dim_of(*words: str) -> int:
    """The number of a combination: 63 bits."""
    text = "".join(f"{len(word)}:{word}" for word in words)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def keep(tables: Tables, names: Names, combinations: Iterable[Words]) -> None:
    """Store what the numbers stand for."""
    table = names(DIMENSIONS.name)
    known = {row[0] for row in tables.execute(f"SELECT dim FROM {table}")}
    rows = {dim: words for words in combinations if (dim := dim_of(*words)) not in known}
    tables.insert(table, DIMENSIONS.names, [(dim, *words) for dim, words in rows.items()])
