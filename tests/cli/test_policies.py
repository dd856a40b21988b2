"""`policies`, and `--policy` where runs are planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.weights import fake_weights, write_router, write_scorer

from .command import command

MINI, HAIKU, GPT4O = "gpt-4o-mini", "claude-haiku-3.5", "gpt-4o"


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")
    monkeypatch.setenv("MODEL_ORCHESTRATOR_PROVIDER", "simulated")
    fake_weights(monkeypatch, tmp_path / "shipped")
    write_router(tmp_path / "shipped/routing.json", {MINI: 0.3, HAIKU: 0.85, GPT4O: 0.95})
    write_scorer(tmp_path / "shipped/confidence.json", Python=0.9)
    Path("model-orchestrator.toml").write_text(
        '[policies.broken]\nrouter = "gone.json"\n[policies.mine]\nrouter = "shipped"\ntarget = 0.9\n'
    )


def test_policies_are_listed_with_what_cannot_be_used() -> None:
    """For people and for programs; one is in force."""
    done = command("policies", "list")
    assert done.code == 0
    assert "heuristic (default)" in done.stdout
    assert "broken: cannot read the weights" in done.stderr
    rows = {one["name"]: one for one in command("policies", "list", "--json").document["policies"]}
    assert list(rows) == ["heuristic", "learned", "broken", "mine"]
    assert (rows["mine"]["target"], rows["heuristic"]["router"], rows["broken"]["version"]) == (0.9, None, None)
    assert rows["learned"]["models"] == [MINI, HAIKU, GPT4O]


def test_a_policy_is_shown_with_its_document() -> None:
    """The one that is stored with runs."""
    document = command("policies", "show", "mine", "--json").document
    assert document["document"]["router"] == {"weights": document["router"], "target": 900_000}
    assert "target    0.9" in command("policies", "show", "mine").stdout
    assert "did you mean mine?" in command("policies", "show", "mien").stderr


def test_a_run_is_explained() -> None:
    """Who was asked and why, who else could be, and who not; which models went by class."""
    assert command("run", "What is Python?", "--policy", "learned", "--quiet").code == 0
    found = command("policies", "explain", "last", "--json").document
    assert found["plan"] == [HAIKU]
    assert found["because"].startswith("the cheapest of ")
    assert found["because"].endswith(" that reach the target 0.80")
    assert found["forecast"]["success"][MINI] == 0.3
    assert found["forecast"]["success"]["claude-opus-3"] is None
    shown = command("policies", "explain", "last").stdout
    assert f"asked     {HAIKU}: the cheapest of" in shown
    trail = command("audit", "trail", "last").stdout
    assert "target 0.80 by weights routing-" in trail
    assert f"candidate {MINI}: expected" in trail


def test_what_was_explored_is_explained() -> None:
    """With everybody's chance."""
    command("run", "What is Python?", "--policy", "mine", "--explore", "1", "--quiet")
    found = command("policies", "explain", "last", "--json").document
    assert sum(found["exploration"]["propensities"].values()) == pytest.approx(1)
    assert ("drawn to explore" in found["because"]) == (found["plan"][0] != GPT4O)
    assert "explores 1; drew " in command("policies", "explain", "last").stdout


def test_plans_and_tables_are_those_of_the_policy() -> None:
    """Before anything is asked."""
    dry = command("run", "What is Python?", "--policy", "mine", "--dry-run", "--json").document
    assert [one["model"] for one in dry["plan"]] == [GPT4O]
    row = command("compare", "What is Python?", "--policy", "mine", "--json").document["strategies"][0]
    assert row["models"] == [GPT4O]
    shown = command("strategies", "show", "--policy", "mine", "--json").document
    assert shown["policy"].startswith("mine-")


def test_exploring_is_of_cheapest_runs() -> None:
    """Another strategy would pass over it."""
    done = command("run", "What is Python?", "--strategy", "fallback", "--explore", "0.1")
    assert done.code == 2
    assert "explore is for the strategy cheapest" in done.stderr
    assert "explore 1.5 is not possible" in command("run", "hi", "--explore", "1.5").stderr
