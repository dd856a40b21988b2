"""Fallback chains over the real SDKs against the loopback provider: what moves a chain on, and what ends it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_orchestrator.application.limits import model_breaker
from model_orchestrator.domain.errors import ErrorKind
from model_orchestrator.infrastructure.simulate.faults import Fault

from ..simulator import RunningSimulator, running_simulator
from .command import KEY, command
from .test_waiting import fail

MINI, HAIKU, SONNET, OPUS = "gpt-4o-mini", "claude-haiku-3.5", "claude-sonnet-3.5", "claude-opus-3"
OWN = """
[chains.small]
models = ["gpt-4o-mini"]
backup = "vendor"
[chains.vendor]
models = ["gpt-4o-mini", "claude-haiku-3.5"]
"""


@pytest.fixture(autouse=True)
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    """A live provider with the seed's models."""
    monkeypatch.chdir(tmp_path)
    Path("model-orchestrator.toml").write_text(OWN, encoding="utf-8")
    monkeypatch.setenv("MODEL_ORCHESTRATOR_DATABASE_URL", "sqlite:///runs.db")
    monkeypatch.setenv("MODEL_ORCHESTRATOR_CATALOGUE", "seed")
    with running_simulator() as running:
        for vendor, url in (("OPENAI", running.openai_url), ("ANTHROPIC", running.anthropic_url)):
            monkeypatch.setenv(f"{vendor}_BASE_URL", url)
            monkeypatch.setenv(f"{vendor}_API_KEY", KEY)
        yield running


def fallback(*options: str, prompt: str = "What is Python?", **env: str) -> Any:
    done = command("run", prompt, "--strategy", "fallback", "--max-attempts", "1", "--json", *options, **env)
    assert done.code == 0, done
    return done.document


def way(document: Any) -> tuple[list[str], str]:
    """The models that were asked, and why the run ended."""
    return [one["model"] for one in document["metadata"]["attempts"]], document["metadata"]["stop_reason"]


def test_a_chain_whose_models_are_all_down_goes_over_to_its_backup(provider: RunningSimulator) -> None:
    """A model of both chains is asked once."""
    provider.fail(Fault.OVERLOADED, model="gpt-4o-mini-2024-07-18")
    document = fallback("--chain", "small")
    assert way(document) == ([MINI, HAIKU], "confident")
    assert document["metadata"]["escalations"][0]["reason"] == "provider_failed"


def test_an_answer_that_is_not_trusted_is_not_down() -> None:
    """The backup is not asked."""
    assert way(fallback("--chain", "small", "--threshold", "1")) == ([MINI], "last_model")


def test_an_open_breaker_is_a_reason_to_move_on(provider: RunningSimulator) -> None:
    """Nothing was sent."""
    fail(model_breaker(MINI), ErrorKind.SERVER, 5)
    document = fallback()
    assert way(document)[0] == [MINI, HAIKU]
    assert [one["error"] for one in document["metadata"]["attempts"]] == ["breaker", None]
    assert provider.calls == 1


def test_a_model_without_a_key_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain starts at the first that has one."""
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    document = fallback("--threshold", "0")
    assert way(document) == ([HAIKU], "confident")
    assert {"model": MINI, "reason": "no key: set OPENAI_API_KEY"} in document["metadata"]["excluded"]


def test_a_chain_stops_at_its_limit_with_the_best_answer_so_far() -> None:
    """It says so, and never passes the limit."""
    document = fallback("--threshold", "1", "--max-cost", "0.0042")
    assert way(document)[1] == "budget"
    assert float(document["cost"]) <= 0.0042
    assert document["response"]


def test_start_capable_begins_at_the_class_and_keeps_one_behind_it() -> None:
    """The assessment of an expert's prompt."""
    hard = "Design a distributed system with consensus, and prove that it is safe under partitions."
    asked, reason = way(fallback("--start", "capable", "--threshold", "1", prompt=hard))
    assert (asked, reason) == ([SONNET, OPUS], "last_model")


def test_verify_agreement_asks_two_and_the_next_only_where_they_differ() -> None:
    """By their extracted answers."""
    agreed = fallback("--verify", "agreement", "--chain", f"{HAIKU},{SONNET},{OPUS}", prompt="What is 2+2?")
    assert way(agreed) == ([HAIKU, SONNET], "agreement")
    split = fallback("--verify", "agreement", prompt="What is 2+2?")  # gpt-4o-mini says 5
    assert [sorted(way(split)[0][:2]), way(split)[0][2]] == [[HAIKU, MINI], SONNET]


def test_compare_live_asks_every_strategy_within_its_limit(provider: RunningSimulator) -> None:
    """Real money is counted, and all of it together stays below the limit."""
    done = command("compare", "What is 2+2?", "--live", "--max-cost", "0.01", "--json")
    rows = done.document["strategies"]
    assert not done.document["simulated"]
    assert all(row["result"]["response"] for row in rows)
    assert sum(float(row["result"]["cost"]) for row in rows) <= 0.01
    assert provider.calls == sum(len(row["result"]["metadata"]["attempts"]) for row in rows)
    refused = command("compare", "What is 2+2?", "--live", "--max-cost", "0.0000001")
    assert "no model fits the limit of $0.0000001" in refused.stderr
