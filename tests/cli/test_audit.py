"""`audit trail`: what a run did, event by event."""

import asyncio
from pathlib import Path

import pytest

from .command import command, logged


@pytest.fixture(autouse=True)
def _own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")


def test_the_trail_is_a_timeline() -> None:
    """Each event, when, what it cost, and why."""
    result = command("run", "Review this function for bugs: def add(a, b): return a - b", "--json").document
    lines = command("audit", "trail", "last").stdout.splitlines()
    assert lines[0].startswith(f"{result['run_id']} (completed), 2")
    entries = [line.split() for line in lines[1:] if line[:3].strip()]
    assert [entry[0] for entry in entries] == [str(number) for number in range(1, 9)]
    assert [entry[4] for entry in entries] == [
        "RunStarted",
        "PromptAssessed",
        "RoutingDecided",
        "AttemptStarted",
        "ModelCalled",
        "CostIncurred",
        "ConfidenceScored",
        "RunCompleted",
    ]
    text = "\n".join(lines)
    assert f"attempt 1: ${result['cost']} (claude-haiku-3.5@" in text
    assert "excluded gpt-4o-mini: answers prompts up to basic only" in text
    assert "candidate claude-haiku-3.5: expected $0." in text


def test_the_trail_as_json_is_the_log() -> None:
    """Every field of every envelope, the payload as an object."""
    command("run", "hi")
    rows = command("audit", "trail", "last", "--json").document
    log = asyncio.run(logged("runs.db"))
    assert [row["version"] for row in rows] == list(range(1, 9))
    assert [row["type"] for row in rows] == [entry.envelope.type for entry in log.events]
    assert [row["event_hash"] for row in rows] == [entry.envelope.event_hash.hex() for entry in log.events]
    assert rows[0]["payload"]["strategy"] == "cheapest"
    assert rows[5]["payload"]["amount"] == command("runs", "show", "last", "--json").document["cost"]
    assert {row["correlation_id"] for row in rows} == {log.run.id}
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)


def test_each_event_names_what_caused_it() -> None:
    """A chain from the first event to the last."""
    command("run", "hi")
    rows = command("audit", "trail", "last", "--json").document
    ids = [row["event_id"] for row in rows]
    assert [row["causation_id"] and row["causation_id"].replace("-", "") for row in rows] == [None, *ids[:-1]]


def test_the_trail_of_a_refused_run_says_why() -> None:
    """The models are named with the limit that each needs."""
    command("run", "hi", "--max-cost", "0")
    text = command("audit", "trail", "last").stdout
    assert "no model can be asked" in text
    assert "excluded gpt-4o-mini: needs up to $0." in text
    assert "no answer: budget, $0 in all" in text


def test_a_run_that_is_not_there_has_no_trail() -> None:
    """Exit 1, and what to do."""
    assert command("audit", "trail", "last").complaint.startswith("there is no run yet: start one")
    command("run", "hi")
    done = command("audit", "trail", "nosuch")
    assert (done.code, done.stdout) == (1, "")
    assert done.complaint == "no run begins with 'nosuch': `model-orchestrator runs list` shows them"
