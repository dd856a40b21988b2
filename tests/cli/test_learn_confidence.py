"""`learn confidence`: weights and a report from a data set, and clear errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_orchestrator.infrastructure.learned_weights import load_scorer
from tests import recorded_sums

from .command import command


@pytest.fixture
def sums(tmp_path: Path) -> str:
    return str(recorded_sums.write(tmp_path / "sums.jsonl.gz", recorded_sums.rows()))


def test_weights_are_written_and_figures_reported(sums: str, tmp_path: Path) -> None:
    weights = tmp_path / "weights.json"
    options = ("--second", "tiny", "--weak", "small", "--strong", "large", "--risk", "0.1", "--confidence", "0.9")
    done = command("learn", "confidence", "--dataset", sums, *options, "-o", str(weights), "--json").document
    assert done["version"] == load_scorer(weights).version
    assert {(one["model"], one["second"]) for one in done["models"]} >= {("small", None), ("small", "tiny")}
    assert [one["cascade"]["second"] for one in done["cascades"]] == [None, "tiny"]
    assert done["cascades"][0]["guaranteed"]["risk"] <= 0.1


def test_the_report_is_a_table_for_people(sums: str, tmp_path: Path) -> None:
    done = command("learn", "confidence", "--dataset", sums, "--models", "small", "-o", str(tmp_path / "w.json"))
    assert done.stdout.splitlines()[0].split() == "DATA SET MODEL SECOND ANSWERS RIGHT AUROC ECE BRIER".split()
    assert "held out" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--weak", "small"), "give both"),
        (("--risk", "0.1"), "--risk is a cascade's"),
        (("--weak", "small", "--strong", "large", "--risk", "2"), "--risk is 2"),
        (("--second", "nobody"), "no answers of nobody: the models are large, small, tiny"),
        (("--models", "nobody"), "no outcomes of nobody"),
    ],
)
def test_what_cannot_be_done_is_told(sums: str, tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    done = command("learn", "confidence", "--dataset", sums, *options, "-o", str(tmp_path / "w.json"))
    assert told in done.complaint
    assert done.code == 2
    assert not (tmp_path / "w.json").exists()
