"""`learn routing`: weights that load, figures of held-out prompts, and one line for what cannot be learned from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_orchestrator.infrastructure.learned_weights import load_router, trained_on
from model_orchestrator.infrastructure.learning import extra
from tests.infrastructure.learning.outcomes import STRONG, WEAK, made_up_rows, write_rows

from .command import command

ROWS = made_up_rows(300)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of outcomes in the working folder."""
    monkeypatch.chdir(tmp_path)
    return write_rows(tmp_path / "made.jsonl.gz", ROWS)


def test_weights_are_written_with_figures_of_held_out_prompts(data: Path) -> None:
    """As JSON and as tables; the file loads, and knows what it was trained on."""
    asked = ("learn", "routing", "--dataset", "made.jsonl.gz", "-o", "weights.json", "--folds", "3")
    pair = ("--weak", WEAK, "--strong", STRONG, "--risk", "0.2", "--confidence", "0.9")
    done = command(*asked, *pair, "--json")
    report, router = done.document, load_router(Path("weights.json"))
    assert report["version"] == router.version
    assert set(router.models) == {"small", "middle", "large"}
    assert report["pairs"][0]["apgr"]["low"] > 0.5
    assert len(report["models"]) == 3
    [guarantee] = report["guarantees"]
    assert guarantee["lost"] <= 0.2
    assert router.thresholds == {("small", "large"): guarantee["threshold"]}
    assert trained_on(Path("weights.json").read_text(encoding="utf-8"), [ROWS[0]["prompt"], "a new one"]) == 1

    shown = command(*asked, *pair)
    assert "small > large" in shown.stdout
    assert "held out" in shown.stderr


def test_the_same_data_gives_the_same_file(data: Path) -> None:
    """To the byte."""
    for name in ("one.json", "two.json"):
        command("learn", "routing", "--dataset", "made.jsonl.gz", "-o", name, "--folds", "2")
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()


def test_prompts_in_two_rows_are_warned_about(data: Path) -> None:
    """Else the same prompt could be in training and test."""
    write_rows(Path("twice.jsonl"), [*ROWS, ROWS[0] | {"id": "again"}])
    done = command("learn", "routing", "--dataset", "twice.jsonl", "-o", "w.json", "--folds", "2")
    assert "warning: 1 prompts stand in more than one row" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--weak", WEAK], "give both, or neither"),
        (["--weak", WEAK, "--strong", "huge"], "no data set has both small and huge"),
        (["--weak", WEAK, "--strong", WEAK], "both small"),
        (["--models", "small,huge"], "have no outcome of huge"),
        (["--risk", "2"], "--risk is 2: expected above 0 and below 1"),
        (["--dataset", "none.jsonl"], "none.jsonl"),
        (["--dataset", "made.jsonl.gz,made.jsonl.gz"], "named twice"),
        (["--dataset", "empty.jsonl"], "it has no rows"),
        (["--dataset", " ,"], "names no data set"),
        (["--models", "small,small"], "--models small,small: one is named twice"),
        (["--weak", STRONG, "--strong", WEAK], "small is nowhere better than large: exchange them"),
        (["-o", "nowhere/weights.json"], "expected a file in a folder that exists"),
    ],
)
def test_what_cannot_be_learned_from_is_one_line(data: Path, arguments: list[str], said: str) -> None:
    """And no file is written."""
    Path("empty.jsonl").write_text("", encoding="utf-8")
    done = command("learn", "routing", "--dataset", "made.jsonl.gz", "-o", "weights.json", *arguments)
    assert done.code == 2
    assert said in done.stderr
    assert not Path("weights.json").exists()


def test_a_missing_extra_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With how to install it."""
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "scipy" else name)
    done = command("learn", "routing", "--dataset", "made.jsonl.gz", "-o", "weights.json", "--json")
    assert "model-orchestrator[learn]" in json.loads(done.stdout)["error"]["message"]
