"""The weights that ship are built again by one command."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from model_orchestrator.infrastructure.learned_weights import load_router, load_scorer
from model_orchestrator.infrastructure.learning import shipped, shipped_confidence, shipped_sources
from tests import recorded_sums


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with sums in place of the public data."""
    monkeypatch.setitem(shipped_sources.SOURCES, "sums", ("made up", "MIT"))
    for module in (shipped, shipped_confidence):
        monkeypatch.setattr(module, "DATASETS", ("sums",))
    monkeypatch.setattr(shipped_confidence, "CASCADES", (("small", "large", None), ("small", "large", "tiny")))
    recorded_sums.write(tmp_path / "sums.dev.jsonl.gz", recorded_sums.rows())
    return tmp_path


def test_both_files_are_written(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They can be served, and the held-out figures are told."""
    monkeypatch.setattr(sys, "argv", ["shipped", str(data), "--into", str(data)])
    shipped.main()
    told = json.loads(capsys.readouterr().out)
    assert "small" in load_router(data / "routing.json").models
    scorer = load_scorer(data / "confidence.json")
    assert [asdict(one) for one in scorer.cascades] == [one["cascade"] for one in told["cascades"]]
    assert {one["model"] for one in told["models"]} == set(scorer.models)


def test_a_data_set_that_is_missing_ends_it(data: Path) -> None:
    """By its name."""
    with pytest.raises(SystemExit, match="has 0 files for other, one is needed"):
        shipped_sources.file_in(data, "other")
    (data / "sums.holdout.jsonl.gz").touch()
    with pytest.raises(SystemExit, match="has 2 files for sums"):
        shipped_sources.file_in(data, "sums")
