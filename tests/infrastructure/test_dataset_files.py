"""Data sets are read line by line, plain or gzip, with exact costs."""

import gzip
from pathlib import Path

from model_orchestrator.domain.units import Usd
from model_orchestrator.infrastructure.dataset_files import read_examples

LINE = (
    '{"id": "a", "task": "t", "prompt": "1 + 1?", "in_tok": 4, "models":'
    ' {"small": {"score": 1, "answer": "2", "text": "It is 2.", "out_tok": 5, "cost": 1.5e-06},'
    ' "big": {"score": 0.25}}}\n'
)


def test_plain_and_gzip_say_the_same(tmp_path: Path) -> None:
    """Costs keep every digit; what is absent is None."""
    (tmp_path / "a.jsonl").write_text(LINE)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(LINE.encode()))
    plain, packed = (list(read_examples(tmp_path / name)) for name in ("a.jsonl", "a.jsonl.gz"))
    assert plain == packed
    small, big = plain[0].outcomes["small"], plain[0].outcomes["big"]
    assert (small.cost, small.is_right) == (Usd("0.0000015"), True)
    assert (big.text, big.cost, big.is_right) == (None, None, False)
