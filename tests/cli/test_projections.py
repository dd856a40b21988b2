"""`projections`: what is shown, and what a rebuild says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from model_orchestrator.cli import main

from ..contracts.read_models import add, add_raw, fill
from ..read_models import of_category
from ..scenario import MINI, asked

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'log.db'}"


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str) -> Command:
    """Runs a command; its exit code, stdout and stderr."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["model-orchestrator", *words, "--database", url])
        with pytest.raises(SystemExit) as ended:
            main.main()
        return (int(ended.value.code or 0), *capsys.readouterr())

    return run


def test_status_shows_how_far_each_is(cli: Command, url: str) -> None:
    fill(url)
    assert [one["state"] for one in json.loads(cli("projections", "status", "--json")[1])["projections"]] == [
        "none"
    ] * 2
    code, out, err = cli("runs", "list", "--json")
    assert (code, len(json.loads(out)), err) == (0, 4, "")
    attempts, runs = json.loads(cli("projections", "status", "--json")[1])["projections"]
    assert (attempts["name"], attempts["lag"], attempts["rows"]["attempts"]) == ("attempts", 0, 6)
    assert (runs["name"], runs["version"], runs["rows"]["runs"]) == ("runs", 5, 4)
    add(url, "run-9", of_category("chat"))
    code, out, _ = cli("projections", "status")
    assert code == 0
    assert out.splitlines()[1].split()[:3] == ["attempts", "3", "behind"]


def test_a_stopped_one_says_where_and_why(cli: Command, url: str) -> None:
    add(url, "run-1", of_category("chat"), asked(MINI))
    add_raw(url, "run-1", "CostIncurred", "{}")
    code, _, err = cli("attempts", "list")
    assert code == 1
    assert err.startswith("model-orchestrator: read model attempts stopped at position 3 (CostIncurred): ")
    code, _, err = cli("projections", "status")
    assert code == 0
    assert err.startswith("attempts stands still before position 3 (CostIncurred): ")
    assert json.loads(cli("attempts", "list", "--json")[1])["error"]["kind"] == "projection_stopped"


def test_a_rebuild_says_how_far_it_came(cli: Command, url: str) -> None:
    fill(url)
    code, out, err = cli("projections", "rebuild", "runs")
    assert (code, out) == (0, "")
    assert err.startswith("runs is rebuilt up to position ")
    assert len(json.loads(cli("projections", "rebuild", "--json")[1])) == 2
    code, _, err = cli("projections", "rebuild", "nothing")
    assert code == 2
    assert "expected one of attempts, runs" in err


def test_without_a_log_there_is_nothing_to_show(cli: Command) -> None:
    code, _, err = cli("projections", "status")
    assert code == 1
    assert "there is no run yet" in err
