"""A made-up data set of sums: three models of different skill, whose wrong answers can be told by their workings."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

MODELS = {"tiny": 0.5, "small": 0.65, "large": 0.9}  # and how often each is right


def rows(count: int = 150, seed: int = 0) -> list[dict[str, Any]]:
    draw = Random(seed)
    return [_row(number, draw) for number in range(count)]


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") if path.suffix == ".gz" else path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return path


def _row(number: int, draw: Random) -> dict[str, Any]:
    one, two = draw.randint(2, 99), draw.randint(2, 99)
    models = {name: _outcome(one, two, draw.random() < skill, draw) for name, skill in MODELS.items()}
    return {"id": f"sum-{number}", "task": "sums", "prompt": f"Case {number}: what is {one} * {two}?", "models": models}


def _outcome(one: int, two: int, is_right: bool, draw: Random) -> dict[str, Any]:
    given = one * two + (0 if is_right else draw.randint(1, 9))
    doubt = "" if draw.random() < (0.9 if is_right else 0.3) else "Wait, let me check that again. "
    text = f"{doubt}{one} * {two} = {given}. The answer is {given}."
    return {
        "score": int(is_right),
        "answer": str(given),
        "text": text,
        "out_tok": 20,
        "cost": 0.001 if is_right else 0.002,
    }
