"""Recorded confidences are judged alike from the log and from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_orchestrator.cli.evaluate_table import evaluation_dict
from model_orchestrator.domain.errors import InvalidRequest
from model_orchestrator.infrastructure.backtest_history import past_runs
from model_orchestrator.infrastructure.history.folder import open_folder
from model_orchestrator.infrastructure.history.folder_runs import FolderHistory
from model_orchestrator.infrastructure.recorded_confidences import evaluate_folder_confidence, evaluate_log_confidence
from tests.cli.command import command
from tests.generated_log import write_log

from .histories import exported, label

MODEL = "gpt-4o-mini"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    place = tmp_path_factory.mktemp("confidences")
    url, folder = f"sqlite:///{place / 'runs.db'}", place / "history"
    write_log(url, runs=150, seed=8, days=3)
    exported(url, folder, chunk=500)
    label(url, 8, share=0.8)
    return url, exported(url, folder, chunk=500)


def test_figures_and_intervals_are_the_same(both: tuple[str, Path]) -> None:
    """To the last digit, with predictions by run and attempt."""
    url, folder = both
    of_log, of_folder = evaluate_log_confidence(url, MODEL), evaluate_folder_confidence(folder, MODEL)
    assert evaluation_dict(of_folder) == evaluation_dict(of_log)
    assert of_folder.predictions == of_log.predictions
    labelled = {run.id: run for run in past_runs(url) if run.labels and run.start.provider != "simulated"}
    for one in of_log.predictions:
        run, _, number = one["id"].partition("/")
        attempt = labelled[run].attempts[int(number)]
        assert attempt.model == MODEL
        assert one["confidence"] == next(iter(attempt.scores.values())) / 1_000_000
    assert of_log.prompts == len(of_log.predictions) > 20
    assert {"auroc", "ece", "brier", "quality"} <= of_log.policy.figures.keys()


def test_the_commands_print_the_same(both: tuple[str, Path]) -> None:
    url, folder = both
    words = ("evaluate", "confidence", "--model", MODEL)
    of_log = command(*words, "--from-log", "--database", url)
    of_folder = command(*words, "--from", str(folder))
    assert (of_folder.code, of_folder.stdout) == (0, of_log.stdout)
    assert "AUROC" in of_log.stdout
    for wrong in ((), ("--from-log", "--from", str(folder)), ("--from-log", "--dataset", "some")):
        assert "say what to judge by" in command(*words, *wrong).complaint
    assert "judged as they are" in command(*words, "--from-log", "--second", "gpt-4o").complaint


def test_without_labels_it_says_what_gives_them(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    write_log(url, runs=10, seed=1, days=1)
    with pytest.raises(InvalidRequest, match="`feedback` gives labels"):
        evaluate_log_confidence(url, MODEL)
    history = FolderHistory(open_folder(exported(url, tmp_path / "history")))
    assert len(history.parts(None, None)) == 1
