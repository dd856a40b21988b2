"""`selftest`: the parts of the orchestrator tried on themselves."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from model_orchestrator.application import selftest as checks

from .command import command

NAMES = ["complexity scoring", "confidence detection", "exact pricing", "model routing", "event log"]


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_part_passes(tmp_path: Path) -> None:
    """Without a key, and without touching the user's database."""
    done = command("selftest")
    assert (done.code, done.stderr) == (0, "")
    assert [line.partition("  ")[2].partition(":")[0] for line in done.stdout.splitlines()] == NAMES
    assert all(line.startswith("pass  ") for line in done.stdout.splitlines())
    assert "$0.0000243" in done.stdout
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_users_settings_change_nothing() -> None:
    """Neither keys nor a broken settings file."""
    Path("model-orchestrator.toml").write_text("nonsense", encoding="utf-8")
    done = command("selftest", "--json", OPENAI_API_KEY="sk-x", MODEL_ORCHESTRATOR_MAX_COST="0")
    assert [(one["name"], one["passed"]) for one in done.document] == [(name, True) for name in NAMES]


def test_a_part_that_fails_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code says so; here the log is not what was written."""

    async def damaged(problems: Callable[[], Awaitable[list[str]]]) -> checks.Check:
        return checks.Check("event log", False, f"{len(await problems())} problems")

    monkeypatch.setattr(checks, "_log", damaged)
    done = command("selftest")
    assert done.code == 1
    assert done.stdout.endswith("FAIL  event log: 0 problems\n")
