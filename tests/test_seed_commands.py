"""README's table of the first script's commands: each has one of ours beside it, and that one runs."""

import re
import shlex

import pytest

from .cli.command import command
from .database import Database
from .documents import ROOT

ROW = re.compile(
    r"^\| `((?:model_orchestrator|cost_tracker)\.py .*?)` \| `model-orchestrator (.*?)`.*\|$", re.MULTILINE
)
TABLE = dict(ROW.findall((ROOT / "README.md").read_text(encoding="utf-8")))
ORCHESTRATOR = ("--prompt", "--strategy", "--list-models", "--test", "--max-cost", "--verbose")
TRACKER = (
    "init",
    "report --category orchestration",
    "report --category orchestration --period weekly",
    "stats --period daily",
    "export --format csv --category orchestration",
)


def test_the_table_has_every_command_of_the_seed() -> None:
    options = {word for one in TABLE if one.startswith("model_") for word in one.split() if word.startswith("--")}
    assert options == set(ORCHESTRATOR)
    assert {one.removeprefix("cost_tracker.py ") for one in TABLE if one.startswith("cost_")} == set(TRACKER)
    strategies = {one.partition("--strategy ")[2] for one in TABLE if "--strategy" in one}
    assert strategies == {"cheapest", "fallback", "ensemble"}


@pytest.mark.parametrize("ours", TABLE.values(), ids=TABLE.keys())
def test_ours_runs(ours: str, database: Database) -> None:
    """After a run, as they would be used."""
    assert command("run", "What is Python?").code == 0
    done = command(*shlex.split(ours))
    assert done.code == 0, done
    assert done.stdout or done.stderr
    if "csv" in ours:
        assert "gpt-4o-mini" in done.stdout
    elif ours.startswith("costs"):
        assert "Simulated" in done.stdout or "simulated" in done.stdout
