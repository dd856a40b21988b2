"""`scorers list`, and what `run --scorer` says and refuses."""

from pathlib import Path

import pytest

from .command import command

ASK = ("run", "What is Python?", "--provider", "simulated")


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")
    monkeypatch.setenv("MODEL_ORCHESTRATOR_CATALOGUE", "seed")


def test_scorers_list_says_what_each_reads_and_costs() -> None:
    """For people and for programs; one is the default."""
    said = command("scorers", "list").stdout
    assert "heuristic-1 (default)  1" in said
    assert "judge:MODEL reads the conversation and the answer" in said
    rows = command("scorers", "list", "--json").document["scorers"]
    assert [(row["name"], row["is_default"]) for row in rows] == [
        ("heuristic-1", True),
        ("learned", False),
        ("judge:MODEL", False),
    ]
    assert rows[0]["costs"] == "nothing"


@pytest.mark.parametrize(("judge", "says"), [("gpt-4o", 0.9), ("claude-sonnet-3.5", 0.35)])
def test_a_judge_is_planned_priced_asked_and_shown(judge: str, says: float) -> None:
    """Whether its model can keep a schema or not."""
    dry = command(*ASK, "--scorer", f"judge:{judge}", "--dry-run")
    assert f"would ask {judge} (simulated) to judge an answer" in dry.stdout
    done = command(*ASK, "--scorer", f"judge:{judge}", "--json").document
    assert done["metadata"]["scorer"] == f"judge:{judge}"
    assert done["confidence"] == says
    assert [(one["purpose"], one["model"]) for one in done["metadata"]["attempts"]][1] == ("judge", judge)
    assert f"{judge} (simulated) as judge" in command("audit", "trail", "last").stdout
    assert (
        f"confidence by judge:{judge}: judge {says:.2f}"
        in command(*ASK, "--scorer", f"judge:{judge}", "--verbose").stderr
    )


def test_a_named_model_or_vendor_does_not_keep_the_judge_away() -> None:
    """They are about who answers."""
    judge = ("--scorer", "judge:claude-opus-3", "--json")
    assert command(*ASK, "--model", "gpt-4o", *judge).document["metadata"]["scorer"] == "judge:claude-opus-3"


@pytest.mark.parametrize(
    ("scorer", "complaint"),
    [
        ("heuristic-7", "scorer 'heuristic-7' is unknown: expected heuristic-1, or judge:MODEL"),
        ("judge:", "scorer 'judge:' is unknown: expected heuristic-1, or judge:MODEL"),
        ("judge:gpt-4oo", "unknown model 'gpt-4oo' in the catalogue seed; did you mean"),
    ],
)
def test_a_scorer_that_there_is_not_is_refused(scorer: str, complaint: str) -> None:
    """Before anything is opened."""
    done = command(*ASK, "--scorer", scorer)
    assert done.code == 2
    assert complaint in done.stderr
    assert not Path("runs.db").exists()


def test_a_judge_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable that it needs."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_CATALOGUE", "current")
    done = command("run", "hi", "--provider", "openai", "--scorer", "judge:claude-opus-5-5")
    assert done.code == 2
    assert "claude-opus-5-5: no key: set ANTHROPIC_API_KEY" in done.stderr
