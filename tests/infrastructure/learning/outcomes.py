"""Recorded outcomes made up so that something can be learned: long sums need the strong model, greetings do not."""

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

WEAK, STRONG = "small", "large"
THINGS = "apples boxes coins doors eggs forks gates hats jars keys".split()


def made_up_rows(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Rows of a data set, with all of `WEAK`, `STRONG` and a third model between them."""
    chance = Random(seed)
    return [_row(place, chance) for place in range(count)]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As JSON lines, gzip where the name ends so."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def _row(place: int, chance: Random) -> dict[str, Any]:
    hard = place % 2 == 0
    thing, other = chance.choice(THINGS), chance.choice(THINGS)
    number = chance.randrange(10_000)
    hard_text = (
        f"If {number} {thing} are not in a row with {number % 97} {other}, how many {other} remain without {thing}?"
    )
    prompt = hard_text if hard else f"Say hello to {thing} number {number}, and name {other}."
    chances = {WEAK: 0.3 if hard else 0.9, "middle": 0.6 if hard else 0.9, STRONG: 0.9}
    return {
        "id": f"made-{place}",
        "task": "sums" if hard else "greetings",
        "prompt": prompt,
        "in_tok": 20,
        "models": {name: {"score": float(chance.random() < right)} for name, right in chances.items()},
    }
