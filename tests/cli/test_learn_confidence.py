"""`learn confidence`: weights and a report from a data set, and clear errors."""

from __future__ import annotations

import json
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
        (("--models", "tiny,tiny"), "--models tiny,tiny: one is named twice"),
        (("--weak", "small", "--strong", "small"), "--weak and --strong are both small"),
        (("--weak", "small", "--strong", "large", "--second", "small"), "--second small is in the cascade already"),
        (("--dataset", ","), "names no data set"),
        (("--dataset", "a/sums.jsonl,b/sums.jsonl.gz"), "data set sums is named twice"),
        (("-o", "nowhere/weights.json"), "expected a file in a folder that exists"),
    ],
)
def test_what_cannot_be_done_is_told(sums: str, tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    done = command("learn", "confidence", "--dataset", sums, "-o", str(tmp_path / "w.json"), *options)
    assert told in done.complaint
    assert done.code == 2
    assert not (tmp_path / "w.json").exists()


def test_a_guarantee_that_none_can_give_is_told(sums: str, tmp_path: Path) -> None:
    """In its own row: all go to the strong model."""
    words = ("--models", "small,large", "--weak", "small", "--strong", "large", "--risk", "0.001")
    shown = command("learn", "confidence", "--dataset", sums, *words, "-o", str(tmp_path / "w.json")).stdout
    row = shown.splitlines()[-1]
    assert "guaranteed: none is sure" in row
    assert "100.0%" in row
    assert row.endswith("0.000")
    assert load_scorer(tmp_path / "w.json").cascades[0].guaranteed_gain is None


def test_prompts_in_two_rows_are_warned_about_and_no_path_is_kept(tmp_path: Path) -> None:
    """Else the same prompt could be in training and test; weights name a set, and not where it was."""
    rows = recorded_sums.rows()
    twice = recorded_sums.write(tmp_path / "twice.jsonl", [*rows, rows[0] | {"id": "again"}])
    done = command("learn", "confidence", "--dataset", str(twice), "--models", "tiny", "-o", str(tmp_path / "w.json"))
    assert "warning: 1 prompts stand in more than one row" in done.stderr
    assert json.loads((tmp_path / "w.json").read_text(encoding="utf-8"))["sources"] == [{"dataset": "twice"}]
    assert done.stdout.splitlines()[1].split()[0] == "twice"
