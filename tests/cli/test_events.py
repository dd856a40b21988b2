"""`events export`, and `--from` of the commands that ask a folder: they print what they print of the log."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from .command import command

CONFIDENCE = ("evaluate", "confidence", "--model", "gpt-4o-mini")
REPORTS = (
    ("costs", "report"),
    ("costs", "report", "--by", "category,tag:team", "--json"),
    ("costs", "report", "--period", "daily", "--csv"),
    ("costs", "report", "--where", "category = chat"),
    ("costs", "stats", "--period", "daily"),
    ("costs", "export", "--format", "csv"),
    ("costs", "savings"),
    ("models", "stats"),
    ("models", "stats", "gpt-4o-mini"),
    ("backtest", "--policy", "heuristic", "--against", "heuristic:fallback", "--json"),
    ("backtest", "--policy", "heuristic:ensemble", "--where", "category = chat"),
)


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")
    monkeypatch.setenv("MODEL_ORCHESTRATOR_PROVIDER", "simulated")


def _ask(*words: str) -> None:
    assert command("run", *words, "--quiet").code == 0


def _three_runs() -> None:
    _ask("What is Python?", "--category", "chat", "--tag", "team=core")
    _ask("What is Erlang?", "--strategy", "fallback")
    _ask("What is 23 * 19?", "--strategy", "ensemble", "--category", "chat")


def test_reports_from_a_folder_are_those_of_the_log() -> None:
    """Word for word, also where a run was labelled after it was exported."""
    _three_runs()
    assert command("events", "export", "history").code == 0
    assert command("feedback", "last", "good").code == 0
    done = command("events", "export", "history", "--format", "parquet", "--partition", "day", "--json").document
    assert done["position"] == done["before"] + 1
    for words in REPORTS:
        of_log, of_folder = command(*words), command(*words, "--from", "history")
        assert (of_folder.code, of_folder.stdout) == (0, of_log.stdout), words
        assert f"history: as of position {done['position']}, 20" in of_folder.stderr, words
    assert "nothing is new since position" in command("events", "export", "history").stdout
    assert list(Path("history/catalogues").iterdir()), "the catalogue that savings and backtests need"


def test_a_lost_catalogue_is_missed() -> None:
    _three_runs()
    command("events", "export", "history")
    (file,) = Path("history/catalogues").iterdir()
    file.write_text("x" * file.stat().st_size)
    assert f"{file.name} does not hold what its name says" in command("costs", "savings", "--from", "history").complaint
    file.unlink()
    assert f"{file.name} is missing" in command("costs", "report", "--from", "history").complaint


def test_what_makes_no_sense_is_misuse() -> None:
    _ask("What is Python?")
    command("events", "export", "history")
    for words, expected in (
        (("events", "export", "history", "--format", "csv"), "--format 'csv' is not possible: expected parquet"),
        (("events", "export", "history", "--partition", "hour"), "--partition 'hour' is not possible: expected day"),
        (("events", "export", "runs.db"), "runs.db is not a folder"),
        (("costs", "report", "--from", "nowhere"), "nowhere: there is no such folder"),
        (("costs", "report", "--from", "history", "--as-of", "today"), "--as-of needs the log"),
        (("costs", "savings", "--from", "history", "--as-of", "today"), "--as-of needs the log"),
        (("costs", "stats", "--from", "history", "--database", "sqlite:///runs.db"), "leave one of them out"),
        (("models", "stats", "--from", "history", "--database", "sqlite:///runs.db"), "leave one of them out"),
        ((*CONFIDENCE, "--from", "history", "--database", "sqlite:///runs.db"), "leave one of them out"),
        (("backtest", "--policy", "heuristic", "--scheduler", "tcp://127.0.0.1:1"), "--scheduler needs --from DIR"),
        (("backtest", "--policy", "heuristic", "--from", "history", "--dataset", "some"), "leave one of them out"),
        (("backtest", "--policy", "heuristic", "--from", "history", "--where", "text ~ python"), "holds no texts"),
    ):
        done = command(*words)
        assert (done.code, expected in done.complaint) == (2, True), (words, done)


def test_an_export_without_a_database_says_so() -> None:
    assert "nothing was recorded there yet" in command("events", "export", "history").complaint
    assert not Path("history").exists()


def test_a_folder_that_is_not_whole_prints_nothing() -> None:
    """Neither tables nor JSON: an error, and no number."""
    _three_runs()
    command("events", "export", "history")
    shutil.rmtree("history/attempts")
    for words in REPORTS:
        done = command(*words, "--from", "history")
        assert done.code == 1, words
        said = json.dumps(done.error) if "--json" in words else done.complaint
        assert "is missing: bring the file back" in said
        assert "--json" in words or done.stdout == ""


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _ask("What is Python?")
    command("events", "export", "history")
    for package, words in (
        ("duckdb", ("costs", "report", "--from", "history")),
        ("pyarrow", ("costs", "report", "--from", "history")),
        ("pyarrow", ("events", "export", "history")),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            said = command(*words).complaint
        assert f"needs the package {package}: install model-orchestrator[history]" in said
